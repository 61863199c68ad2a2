// checkpoint_probe MODEL OUT.safetensors [--vae-ckpt PATH] [--prediction epsilon|v_prediction]
//
// Opens a model with OpenModel and writes what it found: every tensor under "unet.", "vae." or
// "text_encoder." and the architecture as metadata. For tests/parity/test_checkpoint.py.
#include <iostream>
#include <string>
#include <string_view>

#include "common/checkpoint/model_config_json.h"
#include "common/checkpoint/model_source.h"
#include "common/checkpoint/safetensors.h"

int main(int argc, char** argv) {
  if (argc < 3 || argc % 2 == 0) {
    std::cerr << "usage: checkpoint_probe MODEL OUT.safetensors [--vae-ckpt PATH] [--prediction TYPE]\n";
    return 2;
  }
  ip2p::ModelOpenOptions options;
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i], value = argv[i + 1];
    if (flag == "--vae-ckpt") options.vae_path = value;
    if (flag == "--prediction") {
      options.prediction =
          value == "epsilon" ? ip2p::PredictionType::kEpsilon : ip2p::PredictionType::kVPrediction;
    }
  }
  const absl::StatusOr<ip2p::ModelSource> source = ip2p::OpenModel(argv[1], options);
  if (!source.ok()) {
    std::cerr << source.status() << "\n";
    return 1;
  }
  ip2p::TensorMap all;
  for (const auto& [part, tensors] : {std::pair("unet.", &source->unet), std::pair("vae.", &source->vae),
                                      std::pair("text_encoder.", &source->text_encoder)}) {
    for (const auto& [name, view] : *tensors) all.emplace(part + name, view);
  }
  const absl::Status written =
      ip2p::WriteSafetensors(argv[2], all,
                             {{"unet", ip2p::UNetConfigJson(source->config.unet)},
                              {"vae", ip2p::VaeConfigJson(source->config.vae)},
                              {"text_encoder", ip2p::TextEncoderConfigJson(source->config.text_encoder)},
                              {"scheduler", ip2p::SchedulerConfigJson(source->config.scheduler)},
                              {"pad_token_id", std::to_string(source->config.text_encoder.pad_token_id)},
                              {"layout", source->layout},
                              {"used_ema", source->used_ema ? "true" : "false"}});
  if (!written.ok()) {
    std::cerr << written << "\n";
    return 1;
  }
  return 0;
}
