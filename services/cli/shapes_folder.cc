#include "services/cli/shapes_folder.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/blocking_counter.h"
#include "common/base/status_macros.h"
#include "common/base/worker_pool.h"
#include "common/dataset/partition_writer.h"
#include "common/dataset/prompts_file.h"
#include "common/image/encode.h"
#include "common/object_store/object_url.h"
#include "common/shapes/edit_grammar.h"
#include "common/shapes/oracle.h"
#include "common/shapes/scene_json.h"
#include "common/storage/atomic_file.h"

namespace ip2p {
namespace {

constexpr int64_t kMostPictures = 10'000'000;
constexpr int kMostSide = 1024;
constexpr int64_t kChunk = 256;  // pictures a folder

std::string PictureName(int64_t index) { return absl::StrFormat("%08d.png", index); }

// What each row's edit leads to. A bad row is an error, since its picture would be missing.
absl::StatusOr<std::vector<shapes::SampledScene>> EditedScenes(PromptsFile& prompts, uint64_t seed) {
  IP2P_RETURN_IF_ERROR(prompts.Rewind({0, prompts.size()}));
  std::vector<shapes::SampledScene> scenes;
  const auto scene_of = [seed](const PromptRow& row) -> absl::StatusOr<shapes::SampledScene> {
    IP2P_RETURN_IF_ERROR(row.status);
    shapes::SampledScene scene{.caption = row.prompt.output};
    IP2P_ASSIGN_OR_RETURN(scene.told, shapes::ParseCaption(scene.caption));
    IP2P_ASSIGN_OR_RETURN(scene.placed,
                          shapes::LayOut(scene.told.scene, MixSeed(seed, static_cast<uint64_t>(row.index))));
    return scene;
  };
  PromptRow row;
  for (;;) {
    IP2P_ASSIGN_OR_RETURN(const bool more, prompts.Next(row));
    if (!more) return scenes;
    const absl::StatusOr<shapes::SampledScene> scene = scene_of(row);
    if (!scene.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", row.number, " of the prompts: ", scene.status().message()));
    }
    scenes.push_back(*scene);
  }
}

// Files of the set as a whole: the pictures' folders are PartitionWriter's.
std::string Pathed(const std::string& folder, const char* name) { return absl::StrCat(folder, "/", name); }

class SetDrawer {
 public:
  // `edited`: what to draw in place of random scenes.
  SetDrawer(std::string folder, const DrawOptions& options, std::vector<shapes::SampledScene> edited,
            PartitionWriter& writer)
      : folder_(std::move(folder)),
        options_(options),
        edited_(std::move(edited)),
        writer_(writer),
        pool_(options.threads > 0 ? options.threads
                                  : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))) {}

  absl::StatusOr<DrawReport> Draw() {
    report_.pictures = options_.count;
    for (int64_t chunk = 0; chunk * kChunk < options_.count; ++chunk) {
      if (options_.cancelled != nullptr && *options_.cancelled) {
        return absl::CancelledError("drawing was given up; the same command goes on");
      }
      const int64_t end = std::min((chunk + 1) * kChunk, options_.count);
      IP2P_ASSIGN_OR_RETURN(const bool finished, writer_.Finished(chunk));
      if (!finished) IP2P_RETURN_IF_ERROR(DrawChunk(chunk, end));
      if (options_.progress) options_.progress(end, options_.count);
    }
    IP2P_RETURN_IF_ERROR(WriteLists());
    return report_;
  }

 private:
  shapes::SampledScene Scene(int64_t i) const {
    return edited_.empty() ? shapes::SampleScene(options_.seed, i, options_.set)
                           : edited_[static_cast<size_t>(i)];
  }

  absl::Status DrawChunk(int64_t chunk, int64_t end) {
    const int64_t begin = chunk * kChunk;
    std::vector<absl::StatusOr<std::string>> pictures(static_cast<size_t>(end - begin), std::string());
    absl::BlockingCounter left(static_cast<int>(end - begin));
    for (int64_t i = begin; i < end; ++i) {
      pool_.Post([this, &pictures, &left, i, begin] {
        const shapes::SampledScene sample = Scene(i);
        pictures[static_cast<size_t>(i - begin)] =
            EncodeImage(shapes::DrawScene(sample.placed, options_.side));
        left.DecrementCount();
      });
    }
    left.Wait();
    std::vector<FolderFile> files;
    for (int64_t i = begin; i < end; ++i) {
      const absl::StatusOr<std::string>& picture = pictures[static_cast<size_t>(i - begin)];
      if (!picture.ok()) return picture.status();
      files.push_back({PictureName(i), *picture});
    }
    report_.drawn += end - begin;
    return writer_.Publish(chunk, files);
  }

  // They follow from the settings alone, so they are written anew rather than continued. metadata.jsonl comes
  // last: a set that has it is whole.
  absl::Status WriteLists() {
    IP2P_ASSIGN_OR_RETURN(AtomicFile metadata, AtomicFile::Create(Pathed(folder_, "metadata.jsonl")));
    IP2P_ASSIGN_OR_RETURN(AtomicFile captions, AtomicFile::Create(Pathed(folder_, "captions.jsonl")));
    std::unordered_set<std::string> told;
    for (int64_t i = 0; i < options_.count; ++i) {
      const shapes::SampledScene sample = Scene(i);
      nlohmann::ordered_json line;
      line["file_name"] = absl::StrCat(PromptFolderName(i / kChunk), "/", PictureName(i));
      line["caption"] = sample.caption;
      if (options_.edits)
        line["edit"] = shapes::EditBack(sample.told, options_.seed + static_cast<uint64_t>(i));
      line["scene"] = SceneJson(sample.placed, options_.side);
      IP2P_RETURN_IF_ERROR(metadata.Write(line.dump() + "\n"));
      if (!told.insert(sample.caption).second) continue;
      const nlohmann::json caption = {{"caption", sample.caption}};
      IP2P_RETURN_IF_ERROR(captions.Write(caption.dump() + "\n"));
    }
    report_.captions = static_cast<int64_t>(told.size());
    IP2P_RETURN_IF_ERROR(writer_.Held());
    IP2P_RETURN_IF_ERROR(captions.Publish());
    return metadata.Publish();
  }

  const std::string folder_;
  const DrawOptions& options_;
  const std::vector<shapes::SampledScene> edited_;
  PartitionWriter& writer_;
  WorkerPool pool_;
  DrawReport report_;
};

RunSettings SettingsOf(const DrawOptions& options, const std::string& prompts_sha256) {
  RunSettings settings = {{"drawn", "shapes"},
                          {"world_version", shapes::kWorldVersion},
                          {"count", options.count},
                          {"seed", options.seed},
                          {"resolution", options.side}};
  // Said where they are not the default, so that sets from before there was a choice are continued.
  if (options.set.places != shapes::PlacesTold::kSome)
    settings["places_told"] = static_cast<int>(options.set.places);
  if (options.set.most_objects < 2) settings["objects"] = options.set.most_objects;
  if (options.set.alike > 1) settings["alike"] = options.set.alike;
  if (options.set.plain) settings["plain"] = true;
  if (options.edits) settings["edits"] = true;
  if (!prompts_sha256.empty()) settings["prompts_sha256"] = prompts_sha256;
  return settings;
}

}  // namespace

absl::Status CheckDraw(const DrawOptions& options) {
  if (options.count < 1 || options.count > kMostPictures) {
    return absl::InvalidArgumentError(absl::StrCat("count is ", options.count, "; wants 1..", kMostPictures));
  }
  if (options.side < shapes::kLeastSide || options.side > kMostSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("resolution is ", options.side, "; wants ", shapes::kLeastSide, "..", kMostSide));
  }
  if (options.set.most_objects < 1 || options.set.most_objects > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("objects is ", options.set.most_objects, "; wants 1 or 2"));
  }
  if (options.set.alike < 1 || options.set.alike > shapes::kMostAlike) {
    return absl::InvalidArgumentError(
        absl::StrCat("alike is ", options.set.alike, "; wants 1..", shapes::kMostAlike));
  }
  if (options.set.plain && options.set.alike > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("alike is ", options.set.alike, "; wants 1 with plain scenes, which all are alike"));
  }
  return absl::OkStatus();
}

absl::StatusOr<DrawReport> DrawFolder(const std::string& folder, const DrawOptions& given) {
  IP2P_RETURN_IF_ERROR(CheckDraw(given));
  if (IsObjectUrl(folder)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the output is ", folder, "; wants a folder here, which `ip2p store cp` copies there"));
  }
  DrawOptions options = given;
  std::vector<shapes::SampledScene> edited;
  std::string prompts_sha256;
  if (!options.prompts_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<PromptsFile> prompts,
                          PromptsFile::Open(options.prompts_file));
    IP2P_ASSIGN_OR_RETURN(edited, EditedScenes(*prompts, options.seed));
    options.count = prompts->size();
    prompts_sha256 = prompts->sha256();
  }
  const RunSettings settings = SettingsOf(options, prompts_sha256);
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<PartitionWriter> writer,
                        PartitionWriter::Open({.dataset = folder, .share = kAllPrompts, .known = settings}));
  IP2P_RETURN_IF_ERROR(writer->Agree(settings));
  return SetDrawer(folder, options, std::move(edited), *writer).Draw();
}

std::string DrawReportJson(const DrawReport& report) {
  const nlohmann::ordered_json json = {
      {"pictures", report.pictures}, {"drawn", report.drawn}, {"captions", report.captions}};
  return json.dump(2) + "\n";
}

}  // namespace ip2p
