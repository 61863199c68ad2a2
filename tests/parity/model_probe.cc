// Runs one network of the model library on given inputs, for the parity tests.
//
//   model_probe text|unet|encode|decode MODEL IN.safetensors OUT.safetensors [fp32|bf16]
//   model_probe tokenize TOKENIZER_DIR|standard TEXTS.json OUT.json [PAD_TOKEN_ID]
//
// text: ids -> out. unet: x, timesteps, text -> out. encode: x -> out (moments). decode: x -> out. Tensors
// are float32, ids int64. tokenize: a JSON array of strings -> a JSON array of id arrays. Exit code 1 and a
// message on any failure.
#include <ATen/Parallel.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/status/status.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/model_source.h"
#include "common/checkpoint/safetensors.h"
#include "common/model/stable_diffusion.h"

namespace ip2p {
namespace {

torch::Tensor ToTorch(const TensorView& view) {
  const auto type = view.dtype == DType::kInt64 ? torch::kInt64 : torch::kFloat32;
  return torch::from_blob(const_cast<std::byte*>(view.data.data()), view.shape, torch::TensorOptions(type))
      .clone();
}

absl::Status Write(const std::string& path, const torch::Tensor& result) {
  const torch::Tensor out = result.to(torch::kFloat32).contiguous();
  const std::span<const float> values(out.data_ptr<float>(), out.numel());
  const TensorMap tensors = {{"out", {DType::kFloat32, out.sizes().vec(), std::as_bytes(values), nullptr}}};
  return WriteSafetensors(path, tensors, {});
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::Status Tokenize(const std::string& folder, const std::string& in, const std::string& out,
                      const std::string& pad) {
  TextEncoderConfig config;
  if (!pad.empty()) config.pad_token_id = std::stoi(pad);
  auto tokenizer = folder == "standard" ? Tokenizer::CreateStandard(config)
                                        : Tokenizer::Create(ReadFile(folder + "/vocab.json"),
                                                            ReadFile(folder + "/merges.txt"), config);
  IP2P_RETURN_IF_ERROR(tokenizer.status());
  const auto texts = nlohmann::json::parse(ReadFile(in), nullptr, /*allow_exceptions=*/false);
  if (!texts.is_array()) return absl::InvalidArgumentError("texts are not a JSON array");
  nlohmann::json ids = nlohmann::json::array();
  for (const auto& text : texts) ids.push_back((*tokenizer)->Encode(text.get<std::string>()).ids);
  std::ofstream(out) << ids;
  return absl::OkStatus();
}

absl::Status Evaluate(const std::string& network, const std::string& model_path, const std::string& in,
                      const std::string& out, torch::ScalarType dtype) {
  IP2P_ASSIGN_OR_RETURN(const ModelSource source, OpenModel(model_path));
  IP2P_ASSIGN_OR_RETURN(const auto model, LoadStableDiffusion(source, {.dtype = dtype}));
  IP2P_ASSIGN_OR_RETURN(const SafetensorsFile file, ReadSafetensors(in, "inputs"));
  const auto input = [&](const char* name) { return ToTorch(file.tensors.at(name)); };
  const torch::NoGradGuard no_grad;
  if (network == "text") {
    ClipTextEncoder text_encoder = model->text_encoder;
    return Write(out, text_encoder->forward(input("ids")));
  }
  Vae vae = model->vae;
  if (network == "encode") return Write(out, vae->EncodeMoments(input("x")));
  if (network == "decode") return Write(out, vae->Decode(input("x")));
  if (network != "unet") return absl::InvalidArgumentError("network is not text, unet, encode or decode");
  UNet unet = model->unet;
  const TextContext context = unet->PrepareText(input("text").to(dtype));
  return Write(out, unet->forward(input("x"), input("timesteps"), context));
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 4) {
    std::cerr << "usage: model_probe text|unet|encode|decode|tokenize MODEL IN OUT [fp32|bf16|PAD]\n";
    return 1;
  }
  at::set_num_threads(2);
  const std::string option = args.size() > 4 ? args[4] : "";
  const auto dtype = option == "bf16" ? torch::kBFloat16 : torch::kFloat32;
  const absl::Status status = args[0] == "tokenize"
                                  ? ip2p::Tokenize(args[1], args[2], args[3], option)
                                  : ip2p::Evaluate(args[0], args[1], args[2], args[3], dtype);
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
