// Settings of servers that hold models: --ckpt CHECKPOINT and --model NAME=CHECKPOINT.
#pragma once

#include <string>
#include <vector>

namespace ip2p {

struct NamedModel {
  std::string name;
  std::string checkpoint;
};

// The models in their order, the first being the server's default: `ckpt`, where it isn't empty, under the
// name "default", then those of `named`. What is wrong, a name given twice too, is added to `faults`.
std::vector<NamedModel> ReadNamedModels(const std::string& ckpt, const std::vector<std::string>& named,
                                        std::vector<std::string>& faults);

}  // namespace ip2p
