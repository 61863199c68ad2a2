// Runs CLIP and the safety checker on given inputs, for the parity tests.
//
//   clip_probe features CLIP IN.safetensors TEXTS.json OUT.safetensors [fp32|bf16]
//   clip_probe safety FOLDER IMAGE... OUT.json
//
// features: images [N,3,h,w] and N texts -> images, texts (unit features), scores [4] of the first two pairs.
// safety: pictures -> a JSON array of {unsafe, special, concepts}, the latter two cosine - threshold, absent
// when the picture is not of the tower's size. Exit code 1 and a message on any failure.
#include <ATen/Parallel.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/safetensors.h"
#include "common/image/decode.h"
#include "common/model/clip/clip.h"
#include "common/pipeline/clip_scorer.h"
#include "common/pipeline/safety_check.h"

namespace ip2p {
namespace {

using nlohmann::json;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TensorView View(const torch::Tensor& tensor) {
  auto owner = std::make_shared<torch::Tensor>(tensor.to(torch::kFloat32).contiguous());
  return {DType::kFloat32,
          owner->sizes().vec(),
          {static_cast<const std::byte*>(owner->const_data_ptr()), owner->nbytes()},
          owner};
}

absl::Status Features(const std::vector<std::string>& args) {
  IP2P_ASSIGN_OR_RETURN(const ClipSource source, OpenClip(args[1]));
  const bool half = args.size() > 5 && args[5] == "bf16";
  IP2P_ASSIGN_OR_RETURN(const auto scorer,
                        ClipScorer::Create(source, torch::kCPU, half ? torch::kBFloat16 : torch::kFloat32));
  IP2P_ASSIGN_OR_RETURN(const SafetensorsFile file, ReadSafetensors(args[2], "inputs"));
  const TensorView& view = file.tensors.at("images");
  const torch::Tensor images =
      torch::from_blob(const_cast<std::byte*>(view.data.data()), view.shape, torch::kFloat32).clone();
  const json texts = json::parse(ReadFile(args[3]), nullptr, /*allow_exceptions=*/false);
  if (!texts.is_array() || texts.size() < 2) return absl::InvalidArgumentError("wants at least two texts");
  const torch::Tensor i = scorer->Images(images), t = scorer->Texts(texts.get<std::vector<std::string>>());
  const ClipScores s = ScoresOf(i[0], i[1], t[0], t[1]);
  const torch::Tensor scores = torch::tensor({s.sim_0, s.sim_1, s.sim_dir, s.sim_image}, torch::kFloat64);
  return WriteSafetensors(args[4], {{"images", View(i)}, {"texts", View(t)}, {"scores", View(scores)}}, {});
}

json Numbers(const torch::Tensor& row) {
  const torch::Tensor values = row.contiguous();
  return std::vector<float>(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
}

absl::Status Safety(const std::vector<std::string>& args) {
  const torch::NoGradGuard no_grad;
  IP2P_ASSIGN_OR_RETURN(const SafetyCheckerSource source, OpenSafetyChecker(args[1]));
  IP2P_ASSIGN_OR_RETURN(const auto checker, SafetyChecker::Create(source, "cpu"));
  IP2P_ASSIGN_OR_RETURN(const SafetyNetwork network, LoadSafetyNetwork(source, {}));
  json found = json::array();
  for (size_t i = 2; i + 1 < args.size(); ++i) {
    IP2P_ASSIGN_OR_RETURN(const DecodedImage picture, DecodeImage(ReadFile(args[i])));
    IP2P_ASSIGN_OR_RETURN(const bool unsafe, checker->IsUnsafe(picture.image));
    json one = {{"unsafe", unsafe}};
    const Image& image = picture.image;
    if (image.width == source.config.vision.image_size && image.height == image.width) {
      const auto row = [](const std::array<float, 3>& v) { return torch::tensor(c10::ArrayRef<float>(v)); };
      const torch::Tensor bytes = torch::tensor(c10::ArrayRef<uint8_t>(image.pixels), torch::kFloat32);
      const torch::Tensor input =
          (bytes.view({image.height, image.width, 3}) / 255 - row(source.preprocessing.mean)) /
          row(source.preprocessing.std);
      const auto excess = network->forward(input.permute({2, 0, 1}).unsqueeze(0).contiguous());
      one["special"] = Numbers(excess.special[0]);
      one["concepts"] = Numbers(excess.concepts[0]);
    }
    found.push_back(one);
  }
  std::ofstream(args.back()) << found;
  return absl::OkStatus();
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const bool features = args.size() >= 5 && args[0] == "features";
  if (!features && (args.size() < 3 || args[0] != "safety")) {
    std::cerr << "usage: clip_probe features CLIP IN TEXTS OUT [fp32|bf16] | safety FOLDER IMAGE... OUT\n";
    return 1;
  }
  at::set_num_threads(2);
  const absl::Status status = features ? ip2p::Features(args) : ip2p::Safety(args);
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
