// What a model's parts do by themselves, for those who measure them: the autoencoder there and back, and
// CLIP's opinion of pictures and captions. No torch in this header. One thread at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_source.h"
#include "common/checkpoint/model_source.h"
#include "common/image/image.h"

namespace ip2p {

class PartProbe {
 public:
  // Loads the autoencoder and CLIP in float32. `device` is "cpu" or "cuda:N". Errors: those of the loaders;
  // INVALID_ARGUMENT (device).
  static absl::StatusOr<std::unique_ptr<PartProbe>> Create(const ModelSource& model, const ClipSource& clip,
                                                           const std::string& device);
  virtual ~PartProbe() = default;

  // Decoded from the mode of its posterior; sides are multiples of the autoencoder's factor. Errors:
  // RESOURCE_EXHAUSTED (memory), INTERNAL.
  virtual absl::StatusOr<Image> Reconstruct(const Image& image) = 0;
  // Cosines: row i, column j is picture i with caption j. Errors as above.
  virtual absl::StatusOr<std::vector<std::vector<double>>> Match(
      std::span<const Image> pictures, const std::vector<std::string>& captions) = 0;
};

}  // namespace ip2p
