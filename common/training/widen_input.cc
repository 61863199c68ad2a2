// See train_start.h.
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/training/train_start.h"

namespace ip2p {

absl::Status WidenInput(ModelSource& model) {
  const auto found = model.unet.find("conv_in.weight");
  if (found == model.unet.end() || found->second.shape.size() != 4)
    return absl::FailedPreconditionError("unet.conv_in.weight is missing; wants [out,in,3,3]");
  TensorView& weight = found->second;  // rows of [in,3,3]; zero bytes are zero in every floating type
  const int64_t out = weight.shape[0];
  const size_t row = weight.data.size() / out;
  const auto bytes = std::make_shared<std::vector<std::byte>>(2 * weight.data.size(), std::byte{0});
  for (int64_t i = 0; i < out; ++i)
    std::memcpy(bytes->data() + 2 * i * row, weight.data.data() + i * row, row);
  weight.shape[1] *= 2;
  weight.data = *bytes;
  weight.owner = bytes;
  model.config.unet.in_channels *= 2;
  return absl::OkStatus();
}

}  // namespace ip2p
