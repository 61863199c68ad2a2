#include "common/dataset/folder_check.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/image/perceptual_hash.h"

namespace ip2p {
namespace {

constexpr double kSameLevels = 1;  // mean difference up to which two pictures are one, compressed twice

struct LoadedImage {
  Image image;
  std::string sha256;
};

class FolderChecker {
 public:
  FolderChecker(const DatasetReader& reader, PromptRecord record)
      : reader_(reader), record_(std::move(record)) {}

  absl::StatusOr<CheckedFolder> Check() {
    if (record_.edit.empty()) Add(FaultKind::kBadPrompt, "prompt.json", "no instruction can be read");
    if (record_.bad_lines > 0) {
      Add(FaultKind::kBadRecord, record_.has_scores ? "scores.jsonl" : "metadata.jsonl",
          absl::StrCat(record_.bad_lines, " unreadable lines"));
    }
    for (const std::string& name : record_.outside) Add(FaultKind::kOutside, name, "a link");
    for (const std::string& name : record_.halves) Add(FaultKind::kMissingHalf, name, "has no other half");
    for (const Sample& sample : record_.samples) {
      if (sample.kept) CheckKept(absl::StrCat(sample.seed));
    }
    for (const std::string& seed : record_.pairs) IP2P_RETURN_IF_ERROR(CheckPair(seed));
    for (size_t i = 0; i < checked_.pairs.size(); ++i) CheckReversed(i);
    return std::move(checked_);
  }

 private:
  void Add(FaultKind kind, const std::string& name, std::string more) {
    checked_.faults.push_back({kind, absl::StrCat(record_.folder, "/", name), std::move(more)});
  }

  // Nothing: damaged, and told.
  absl::StatusOr<std::optional<LoadedImage>> Load(const std::string& name) {
    const absl::StatusOr<std::string> bytes = reader_.ReadFileOf(record_.folder, name);
    if (absl::IsUnavailable(bytes.status()) || absl::IsPermissionDenied(bytes.status()))
      return bytes.status();
    absl::StatusOr<DecodedImage> decoded = bytes.ok() ? DecodeImage(*bytes) : bytes.status();
    if (!decoded.ok()) {
      Add(FaultKind::kDamagedImage, name, std::string(decoded.status().message()));
      return std::nullopt;
    }
    return LoadedImage{std::move(decoded->image), Sha256Hex(*bytes)};
  }

  // Of a kept sample something is there; half a pair, or a link, is told already.
  void CheckKept(const std::string& seed) {
    for (const auto* names : {&record_.halves, &record_.outside}) {
      for (const std::string& name : *names) {
        if (name == seed + "_0.jpg" || name == seed + "_1.jpg") return;
      }
    }
    if (std::find(record_.pairs.begin(), record_.pairs.end(), seed) != record_.pairs.end()) return;
    Add(FaultKind::kAbsent, seed + "_0.jpg",
        absl::StrCat("in ", record_.has_scores ? "scores.jsonl" : "metadata.jsonl", ", and not there"));
  }

  absl::Status CheckPair(const std::string& seed) {
    const std::string before_name = seed + "_0.jpg";
    IP2P_ASSIGN_OR_RETURN(const std::optional<LoadedImage> before, Load(before_name));
    IP2P_ASSIGN_OR_RETURN(const std::optional<LoadedImage> after, Load(seed + "_1.jpg"));
    if (!before.has_value() || !after.has_value()) return absl::OkStatus();
    const Image& a = before->image;
    const Image& b = after->image;
    if (a.width != b.width || a.height != b.height) {
      Add(FaultKind::kUnequalSizes, before_name,
          absl::StrCat(a.width, "x", a.height, " and ", b.width, "x", b.height));
    } else if (MeanDifference(a, b) < kSameLevels) {
      Add(FaultKind::kIdenticalPair, before_name, "both images are the same");
    }
    CheckDigests(seed, *before, *after);
    checked_.pairs.push_back({seed, {DifferenceHash(a), DifferenceHash(b)}});
    return absl::OkStatus();
  }

  void CheckDigests(const std::string& seed, const LoadedImage& before, const LoadedImage& after) {
    const auto recorded = record_.digests.find(seed);
    if (recorded == record_.digests.end()) return;
    const PairDigests& digests = recorded->second;
    if (digests.before == before.sha256 && digests.after == after.sha256) return;
    const std::string name = seed + "_0.jpg";
    if (digests.before == after.sha256 && digests.after == before.sha256) {
      Add(FaultKind::kSwappedPair, name, "before and after have changed places");
    } else {
      Add(FaultKind::kChangedImage, name, "not what scores.jsonl tells");
    }
  }

  // The pair at `later` and an earlier one: each one's before is the other's after.
  void CheckReversed(size_t later) {
    const PairHash& hash = checked_.pairs[later].hash;
    const std::string& seed = checked_.pairs[later].seed;
    if (record_.digests.count(seed) > 0) return;  // the record has told
    // Two images that look alike are their own reverse.
    if (Distance(hash, {hash.after, hash.before}) <= 2 * NearDuplicates::kMaxDistance) return;
    for (size_t i = 0; i < later; ++i) {
      const PairHash& other = checked_.pairs[i].hash;
      if (Distance(hash, {other.after, other.before}) > NearDuplicates::kMaxDistance) continue;
      Add(FaultKind::kSwappedPair, seed + "_0.jpg",
          absl::StrCat("is the reverse of ", checked_.pairs[i].seed, "_0.jpg"));
      return;
    }
  }

  static double MeanDifference(const Image& a, const Image& b) {
    int64_t sum = 0;
    for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
    return a.pixels.empty() ? 0 : static_cast<double>(sum) / static_cast<double>(a.pixels.size());
  }

  const DatasetReader& reader_;
  const PromptRecord record_;
  CheckedFolder checked_;
};

}  // namespace

const char* FaultName(FaultKind kind) {
  switch (kind) {
    case FaultKind::kMissingHalf:
      return "missing_half";
    case FaultKind::kDamagedImage:
      return "damaged_image";
    case FaultKind::kUnequalSizes:
      return "unequal_sizes";
    case FaultKind::kIdenticalPair:
      return "identical_pair";
    case FaultKind::kSwappedPair:
      return "swapped_pair";
    case FaultKind::kBadPrompt:
      return "bad_prompt";
    case FaultKind::kBadRecord:
      return "bad_record";
    case FaultKind::kOutside:
      return "outside";
    case FaultKind::kAbsent:
      return "absent";
    case FaultKind::kChangedImage:
      return "changed_image";
    case FaultKind::kNearDuplicate:
      return "near_duplicate";
  }
  return "unknown";
}

bool IsBad(FaultKind kind) { return kind != FaultKind::kChangedImage && kind != FaultKind::kNearDuplicate; }

absl::StatusOr<CheckedFolder> CheckFolder(const DatasetReader& reader, const std::string& folder) {
  IP2P_ASSIGN_OR_RETURN(PromptRecord record, reader.ReadPrompt(folder));
  return FolderChecker(reader, std::move(record)).Check();
}

}  // namespace ip2p
