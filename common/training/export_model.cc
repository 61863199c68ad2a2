// See export_model.h.
#include "common/training/export_model.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_vocabulary.h"
#include "common/checkpoint/clip_writer.h"
#include "common/checkpoint/model_writer.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

// The tensors below `prefix`, without it.
TensorMap Below(const TensorMap& all, const std::string& prefix) {
  TensorMap part;
  for (const auto& [name, view] : all) {
    if (name.starts_with(prefix)) part.emplace(name.substr(prefix.size()), view);
  }
  return part;
}

// Renamed before it is removed, so that no half of a model stands under the name.
absl::Status MoveAway(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return absl::OkStatus();
  const std::string old = OldNameOf(path);
  fs::remove_all(old, error);
  fs::rename(path, old, error);
  if (error) return IoError(error.value(), "the export of a run given up cannot be removed");
  fs::remove_all(old, error);
  return absl::OkStatus();
}

}  // namespace

std::string ExportPath(const std::string& run, int64_t step) {
  return absl::StrCat(run, "/export/", absl::StrFormat("step-%09d", step));
}

void RemoveOldExports(const std::string& run) {
  std::error_code error;
  std::vector<fs::path> old;
  for (fs::directory_iterator folder(run + "/export", error); !error && folder != fs::directory_iterator();
       folder.increment(error)) {
    std::error_code ignored;
    if (!fs::exists(fs::path(run) / "checkpoints" / folder->path().filename(), ignored))
      old.push_back(folder->path());
  }
  for (const fs::path& path : old) fs::remove_all(path, error);
}

ModelSource ModelWith(const TrainStart& start, const TensorMap& weights) {
  ModelSource model = start.model;
  const auto replace = [&](TensorMap& part, const char* prefix) {
    TensorMap learned = Below(weights, prefix);
    learned.merge(part);  // what did not learn
    part = std::move(learned);
  };
  replace(model.unet, "unet.");
  replace(model.vae, "vae.");
  replace(model.text_encoder, "text_encoder.");
  return model;
}

void ForgetLearned(TrainStart& start, const std::vector<std::string>& learned) {
  const std::set<std::string> names(learned.begin(), learned.end());
  const auto forget = [&](TensorMap& part, const std::string& prefix) {
    std::erase_if(part, [&](const auto& tensor) { return names.contains(prefix + tensor.first); });
  };
  forget(start.model.unet, "unet.");
  forget(start.model.vae, "vae.");
  forget(start.model.text_encoder, "text_encoder.");
  if (start.clip.has_value()) forget(start.clip->tensors, "clip.");
}

absl::Status ExportModel(const TrainStart& start, const TensorMap& weights, const std::string& path) {
  IP2P_RETURN_IF_ERROR(MakeFolder(fs::path(path).parent_path(), "the folder of exports"));
  IP2P_RETURN_IF_ERROR(MoveAway(path));
  if (start.clip.has_value()) {
    ClipSource clip = *start.clip;
    clip.tensors = Below(weights, "clip.");
    return SaveClipFolder(clip, path);
  }
  ModelSource model = ModelWith(start, weights);
  if (model.vocab_json.empty()) IP2P_RETURN_IF_ERROR(FillVocabulary(model));
  return SaveDiffusersFolder(model, path);
}

}  // namespace ip2p
