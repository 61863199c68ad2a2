// One prompt's folder of a dataset (FORMAT.md): written beside its place, synced, and published by one
// rename. A reader sees it whole or not at all, and a folder that is there is finished.
//
// Free functions, any thread; two writers of one folder end with one whole folder.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/sample.h"
#include "common/image/image.h"

namespace ip2p {

// "0000012". Indices above 9999999 take more digits.
std::string PromptFolderName(int64_t prompt_index);
// The index that such a name tells; nothing for any other name ("12", ".tmp-...").
std::optional<int64_t> PromptIndexOf(std::string_view folder_name);

// "17_0.jpg" for the image before, "17_1.jpg" for the one after.
std::string BeforeName(uint64_t seed);
std::string AfterName(uint64_t seed);

// A pair as it is stored. JPEG files are taken as they are.
struct StoredPair {
  uint64_t seed = 0;
  std::string before;  // JPEG
  std::string after;
};

// JPEG of quality 100, 4:2:0, as the dataset stores it. INVALID_ARGUMENT for an image without pixels.
absl::StatusOr<std::string> EncodePairImage(const Image& image);

// What a folder is made of.
struct PromptContents {
  std::string_view prompt_line;     // as it stands in the prompts file; a BOM and the line's end are left out
  std::span<const Sample> samples;  // all that were tried, in the order of sample_index
  std::span<const StoredPair> pairs;  // of the samples with `kept`, in any order
};

// A file of a folder, with its bytes.
struct PromptFile {
  std::string name;  // one path component
  std::string bytes;
};
// What the prompt's folder holds, in the order of writing; metadata.jsonl tells the kept ones best first
// (BestFirst). INVALID_ARGUMENT when `pairs` are not those of the kept samples.
absl::StatusOr<std::vector<PromptFile>> FilesOfPrompt(const PromptContents& contents);

// Publishes DATASET/NNNNNNN. ALREADY_EXISTS when the folder is there. INVALID_ARGUMENT as above.
// RESOURCE_EXHAUSTED or UNAVAILABLE when the disk is full or fails; nothing is left behind then.
absl::Status PublishPrompt(const std::string& dataset, int64_t prompt_index, const PromptContents& contents);
// The same in the place of the folder that is there.
absl::Status ReplacePrompt(const std::string& dataset, int64_t prompt_index, const PromptContents& contents);

// A file of a folder that is taken as it is.
struct FolderFile {
  std::string name;  // one path component
  std::string_view bytes;
};
// Publishes DATASET/`folder` with these files. ALREADY_EXISTS, RESOURCE_EXHAUSTED, UNAVAILABLE as above.
absl::Status PublishFolder(const std::string& dataset, const std::string& folder,
                           std::span<const FolderFile> files);
// The same in the place of the folder that is there.
absl::Status ReplaceFolder(const std::string& dataset, const std::string& folder,
                           std::span<const FolderFile> files);

// Whether the prompt's folder was published. Errors: as stat(2).
absl::StatusOr<bool> PromptFinished(const std::string& dataset, int64_t prompt_index);

}  // namespace ip2p
