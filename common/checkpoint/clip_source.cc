// See clip_source.h.
#include "common/checkpoint/clip_source.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_config_json.h"
#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/tokenizer_files.h"
#include "common/checkpoint/weight_files.h"
#include "common/object_store/local_copy.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr char kPreprocessor[] = "preprocessor_config.json";

absl::Status CheckFolder(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return absl::NotFoundError("the folder does not exist");
  if (!fs::is_directory(status)) {
    return absl::InvalidArgumentError("it is not a folder; wants config.json, weights and the rest in one");
  }
  return absl::OkStatus();
}

// Nothing when the file is absent.
absl::StatusOr<std::optional<std::string>> ReadOptional(const fs::path& file, const char* name) {
  absl::StatusOr<std::string> text = ReadTextFile(file.string(), name, kMaxConfigBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  return *std::move(text);
}

// Newer versions of transformers write one file for image processor and tokenizer.
absl::StatusOr<std::optional<std::string>> ReadProcessor(const fs::path& folder) {
  constexpr char kName[] = "processor_config.json";
  IP2P_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadOptional(folder / kName, kName));
  if (!text.has_value()) return std::nullopt;
  const json whole = json::parse(*text, nullptr, false);
  if (!whole.is_object()) return absl::DataLossError(absl::StrCat(kName, " is not a JSON object"));
  const auto images = whole.find("image_processor");
  if (images == whole.end()) return std::nullopt;
  return images->dump(-1, ' ', false, json::error_handler_t::replace);
}

// The first of these places that has one; OpenAI's figures when none has.
absl::StatusOr<ClipPreprocessing> ReadPreprocessing(const fs::path& folder, const fs::path& beside) {
  IP2P_ASSIGN_OR_RETURN(std::optional<std::string> text, ReadOptional(folder / kPreprocessor, kPreprocessor));
  if (!text.has_value()) {
    IP2P_ASSIGN_OR_RETURN(text, ReadProcessor(folder));
  }
  if (!text.has_value()) {
    IP2P_ASSIGN_OR_RETURN(text, ReadOptional(beside / kPreprocessor, kPreprocessor));
  }
  return text.has_value() ? ParseClipPreprocessing(*text, kPreprocessor) : ClipPreprocessing();
}

// position_ids counts 0, 1, 2, ...; published safety checkers have one name level more than newer ones.
TensorMap NormalizeNames(TensorMap tensors) {
  constexpr std::string_view kOuter = "vision_model.", kInner = "vision_model.vision_model.";
  TensorMap result;
  for (auto& [name, view] : tensors) {
    if (name.ends_with("embeddings.position_ids")) continue;
    result.emplace(name.starts_with(kInner) ? name.substr(kOuter.size()) : name, std::move(view));
  }
  return result;
}

absl::StatusOr<TensorMap> ReadTensors(const std::string& path) {
  IP2P_ASSIGN_OR_RETURN(TensorMap tensors, ReadWeights(path, ".", "model", "pytorch_model"));
  return NormalizeNames(std::move(tensors));
}

absl::StatusOr<ClipSource> ReadConfigs(const std::string& path) {
  IP2P_RETURN_IF_ERROR(CheckFolder(path));
  const fs::path folder(path);
  ClipSource source;
  IP2P_ASSIGN_OR_RETURN(source.config_json,
                        ReadTextFile((folder / "config.json").string(), "config.json", kMaxConfigBytes));
  IP2P_ASSIGN_OR_RETURN(source.config, ParseClipConfig(source.config_json, "config.json"));
  IP2P_ASSIGN_OR_RETURN(TokenizerFiles tokenizer, ReadTokenizerFolder(path, "."));
  GiveTokenizer(tokenizer, source.config.text, source);
  IP2P_ASSIGN_OR_RETURN(source.preprocessing, ReadPreprocessing(folder, folder));
  IP2P_ASSIGN_OR_RETURN(std::optional<std::string> preprocessor,
                        ReadOptional(folder / kPreprocessor, kPreprocessor));
  source.preprocessor_json = std::move(preprocessor).value_or("");
  return source;
}

absl::StatusOr<ClipSource> ReadClip(const std::string& named) {
  IP2P_ASSIGN_OR_RETURN(const std::string path, LocalPath(named));
  IP2P_ASSIGN_OR_RETURN(ClipSource source, ReadConfigs(path));
  IP2P_ASSIGN_OR_RETURN(source.tensors, ReadTensors(path));
  IP2P_RETURN_IF_ERROR(CheckTensors("it", ClipTensors(source.config), source.tensors));
  return source;
}

struct PipelinePart {
  std::string folder;
  std::string beside;  // feature_extractor/ of the same pipeline
};

absl::StatusOr<PipelinePart> LocalPart(const std::string& path) {
  if (!IsObjectUrl(path)) return PipelinePart{path, (fs::path(path) / ".." / "feature_extractor").string()};
  IP2P_ASSIGN_OR_RETURN(ObjectUrl url, ParseObjectUrl(path));
  PipelinePart part;
  IP2P_ASSIGN_OR_RETURN(part.folder, LocalPath(path));
  while (url.key.ends_with('/')) url.key.pop_back();
  url.key.resize(url.key.rfind('/') == std::string::npos ? 0 : url.key.rfind('/'));
  absl::StatusOr<std::string> beside = LocalPath(url.Child("feature_extractor").text());
  if (absl::IsNotFound(beside.status())) beside = part.folder;
  IP2P_ASSIGN_OR_RETURN(part.beside, std::move(beside));
  return part;
}

absl::StatusOr<SafetyCheckerSource> ReadSafetyChecker(const std::string& named) {
  IP2P_ASSIGN_OR_RETURN(const PipelinePart part, LocalPart(named));
  const std::string& path = part.folder;
  IP2P_RETURN_IF_ERROR(CheckFolder(path));
  const fs::path folder(path);
  SafetyCheckerSource source;
  IP2P_ASSIGN_OR_RETURN(const std::string config,
                        ReadTextFile((folder / "config.json").string(), "config.json", kMaxConfigBytes));
  IP2P_ASSIGN_OR_RETURN(source.config, ParseClipVisionConfig(config, "config.json"));
  IP2P_ASSIGN_OR_RETURN(source.preprocessing, ReadPreprocessing(folder, part.beside));
  if (source.preprocessing.crop_size != source.config.vision.image_size) {
    return absl::FailedPreconditionError(absl::StrCat(kPreprocessor, ": crop_size is ",
                                                      source.preprocessing.crop_size, "; wants the tower's ",
                                                      source.config.vision.image_size));
  }
  IP2P_ASSIGN_OR_RETURN(source.tensors, ReadTensors(path));
  IP2P_RETURN_IF_ERROR(CheckTensors("it", SafetyCheckerTensors(source.config), source.tensors));
  return source;
}

absl::Status Prefixed(const char* prefix, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(prefix, std::string(status.message())));
}

}  // namespace

absl::StatusOr<ClipSource> OpenClip(const std::string& path) {
  absl::StatusOr<ClipSource> source = ReadClip(path);
  return source.ok() ? std::move(source) : Prefixed("CLIP: ", source.status());
}

absl::StatusOr<ClipSource> ReadClipConfigs(const std::string& path) {
  const absl::StatusOr<std::string> local = LocalPath(path);
  absl::StatusOr<ClipSource> source = local.ok() ? ReadConfigs(*local) : local.status();
  return source.ok() ? std::move(source) : Prefixed("CLIP: ", source.status());
}

absl::StatusOr<SafetyCheckerSource> OpenSafetyChecker(const std::string& path) {
  absl::StatusOr<SafetyCheckerSource> source = ReadSafetyChecker(path);
  return source.ok() ? std::move(source) : Prefixed("safety checker: ", source.status());
}

}  // namespace ip2p
