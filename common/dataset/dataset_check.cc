#include "common/dataset/dataset_check.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/blocking_counter.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/base/worker_pool.h"
#include "common/dataset/seeds_file.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

constexpr size_t kChunk = 64;  // folders that are looked at together
constexpr size_t kMaxSeedsBytes = 1 << 30;

class DatasetChecker {
 public:
  DatasetChecker(const DatasetReader& reader, const CheckOptions& options)
      : reader_(reader), options_(options) {}

  absl::StatusOr<CheckReport> Check() {
    for (const std::string& name : reader_.outside()) Add({FaultKind::kOutside, name, "a link"});
    IP2P_RETURN_IF_ERROR(CheckFolders());
    IP2P_RETURN_IF_ERROR(CheckSeeds());
    return std::move(report_);
  }

 private:
  void Add(Fault fault) {
    if (report_.counts[fault.kind]++ < options_.max_listed) report_.faults.push_back(std::move(fault));
  }

  absl::Status CheckFolders() {
    const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    WorkerPool pool(options_.threads > 0 ? options_.threads : cores);
    const std::vector<std::string>& folders = reader_.folders();
    for (size_t begin = 0; begin < folders.size(); begin += kChunk) {
      const size_t end = std::min(folders.size(), begin + kChunk);
      std::vector<absl::StatusOr<CheckedFolder>> checked(end - begin, CheckedFolder());
      absl::BlockingCounter left(static_cast<int>(end - begin));
      for (size_t i = begin; i < end; ++i) {
        pool.Post([this, &checked, &folders, &left, i, begin] {
          checked[i - begin] = CheckFolder(reader_, folders[i]);
          left.DecrementCount();
        });
      }
      left.Wait();
      for (size_t i = begin; i < end; ++i) {
        if (!checked[i - begin].ok()) return checked[i - begin].status();
        Take(folders[i], *std::move(checked[i - begin]));
      }
      if (options_.progress) {
        options_.progress(static_cast<int64_t>(end), static_cast<int64_t>(folders.size()));
      }
    }
    return absl::OkStatus();
  }

  // In the order of the folders, whatever thread was first: so the report is one.
  void Take(const std::string& folder, CheckedFolder checked) {
    ++report_.prompts;
    for (Fault& fault : checked.faults) {
      if (fault.kind == FaultKind::kAbsent) absent_.insert(fault.place);
      Add(std::move(fault));
    }
    for (const CheckedPair& pair : checked.pairs) {
      ++report_.pairs;
      std::string place = absl::StrCat(folder, "/", pair.seed, "_0.jpg");
      const std::optional<int64_t> like = duplicates_.Add(pair.hash);
      if (like.has_value()) {
        Add({FaultKind::kNearDuplicate, place,
             absl::StrCat("is nearly ", places_[static_cast<size_t>(*like)])});
      }
      places_.push_back(std::move(place));
    }
  }

  absl::Status CheckSeeds() {
    const absl::StatusOr<std::string> text =
        ReadFile(absl::StrCat(reader_.path(), "/seeds.json"), "seeds.json", kMaxSeedsBytes);
    if (absl::IsNotFound(text.status())) return absl::OkStatus();  // not prepared yet
    if (!text.ok()) return text.status();
    const absl::StatusOr<ParsedSeeds> seeds = ParseSeeds(*text);
    if (!seeds.ok()) {
      Add({FaultKind::kBadRecord, "seeds.json", "no list of folders with their seeds"});
      return absl::OkStatus();
    }
    for (int64_t i = 0; i < seeds->skipped; ++i) {
      Add({FaultKind::kOutside, "seeds.json", "names a path in the place of a name"});
    }
    for (const SeedsEntry& entry : seeds->entries) IP2P_RETURN_IF_ERROR(CheckEntry(entry));
    return absl::OkStatus();
  }

  absl::Status CheckEntry(const SeedsEntry& entry) {
    const absl::StatusOr<PromptRecord> record = reader_.ReadPrompt(entry.folder);
    if (absl::IsNotFound(record.status()) || absl::IsInvalidArgument(record.status())) {
      Add({FaultKind::kAbsent, entry.folder, "in seeds.json, and not there"});
      return absl::OkStatus();
    }
    if (!record.ok()) return record.status();
    for (const std::string& seed : entry.seeds) {
      if (std::find(record->pairs.begin(), record->pairs.end(), seed) != record->pairs.end()) continue;
      // Half a pair is told already.
      const bool half = std::any_of(record->halves.begin(), record->halves.end(), [&seed](const auto& name) {
        return name == seed + "_0.jpg" || name == seed + "_1.jpg";
      });
      std::string place = absl::StrCat(entry.folder, "/", seed, "_0.jpg");
      if (half || absent_.contains(place)) continue;
      Add({FaultKind::kAbsent, std::move(place), "in seeds.json, and not there"});
    }
    return absl::OkStatus();
  }

  const DatasetReader& reader_;
  const CheckOptions& options_;
  CheckReport report_;
  std::set<std::string> absent_;  // told by their folders
  NearDuplicates duplicates_;
  std::vector<std::string> places_;  // of what duplicates_ knows
};

}  // namespace

int64_t CheckReport::bad() const {
  int64_t bad = 0;
  for (const auto& [kind, count] : counts) bad += IsBad(kind) ? count : 0;
  return bad;
}

double CheckReport::bad_share() const {
  const int64_t all = pairs + bad();
  return all == 0 ? 0 : static_cast<double>(bad()) / static_cast<double>(all);
}

absl::StatusOr<CheckReport> CheckDataset(const std::string& dataset, const CheckOptions& options) {
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, DatasetReader::Open(dataset));
  if (reader.folders().empty()) {
    std::error_code error;
    return absl::FailedPreconditionError(
        std::filesystem::exists(std::filesystem::path(dataset) / "index.json", error)
            ? "the dataset is a pack of shards; wants what `ip2p dataset unpack` makes of it"
            : "the dataset holds no prompts; wants folders with a prompt.json and images");
  }
  return DatasetChecker(reader, options).Check();
}

absl::Status JudgeDataset(const CheckReport& report, double max_share) {
  if (report.bad_share() <= max_share) return absl::OkStatus();
  std::vector<std::string> parts;
  for (const auto& [kind, count] : report.counts) {
    if (IsBad(kind)) parts.push_back(absl::StrCat(count, " ", FaultName(kind)));
  }
  return absl::FailedPreconditionError(
      absl::StrFormat("%.3g %% of the dataset is bad (%s); wants at most %.3g %%", 100 * report.bad_share(),
                      absl::StrJoin(parts, ", "), 100 * max_share));
}

std::string CheckText(const CheckReport& report) {
  std::string out;
  for (const Fault& fault : report.faults) {
    absl::StrAppend(&out, FaultName(fault.kind), "  ", fault.place, fault.more.empty() ? "" : "  ",
                    fault.more, "\n");
  }
  absl::StrAppendFormat(&out, "%-16s %10d\n%-16s %10d\n", "prompts", report.prompts, "pairs", report.pairs);
  for (const auto& [kind, count] : report.counts) {
    absl::StrAppendFormat(&out, "%-16s %10d%s\n", FaultName(kind), count, IsBad(kind) ? "" : "  (not bad)");
  }
  absl::StrAppendFormat(&out, "%-16s %10.4f %%\n", "bad", 100 * report.bad_share());
  return out;
}

std::string CheckJson(const CheckReport& report) {
  nlohmann::ordered_json out;
  out["prompts"] = report.prompts;
  out["pairs"] = report.pairs;
  out["bad"] = report.bad();
  out["bad_share"] = report.bad_share();
  out["counts"] = nlohmann::ordered_json::object();
  for (const auto& [kind, count] : report.counts) out["counts"][FaultName(kind)] = count;
  out["faults"] = nlohmann::ordered_json::array();
  for (const Fault& fault : report.faults) {
    out["faults"].push_back({{"kind", FaultName(fault.kind)}, {"place", fault.place}, {"found", fault.more}});
  }
  return out.dump(2, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace ip2p
