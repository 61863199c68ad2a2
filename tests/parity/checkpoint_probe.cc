// checkpoint_probe open MODEL OUT.safetensors [FLAGS]: opens a model with OpenModel and writes what it found,
// every
//   tensor under "unet.", "vae." or "text_encoder." and the architecture as metadata.
// checkpoint_probe convert MODEL OUT [FLAGS]: writes OUT as one file if it ends in .safetensors, else as a
// folder. FLAGS: --vae-ckpt PATH, --prediction epsilon|v_prediction. For tests/parity/test_checkpoint.py.
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include "common/checkpoint/clip_vocabulary.h"
#include "common/checkpoint/model_config_json.h"
#include "common/checkpoint/model_source.h"
#include "common/checkpoint/model_writer.h"
#include "common/checkpoint/safetensors.h"

namespace {

absl::Status WriteFindings(const ip2p::ModelSource& source, const std::string& path) {
  ip2p::TensorMap all;
  for (const auto& [part, tensors] : {std::pair("unet.", &source.unet), std::pair("vae.", &source.vae),
                                      std::pair("text_encoder.", &source.text_encoder)}) {
    for (const auto& [name, view] : *tensors) all.emplace(part + name, view);
  }
  return ip2p::WriteSafetensors(path, all,
                                {{"unet", ip2p::UNetConfigJson(source.config.unet)},
                                 {"vae", ip2p::VaeConfigJson(source.config.vae)},
                                 {"text_encoder", ip2p::TextEncoderConfigJson(source.config.text_encoder)},
                                 {"scheduler", ip2p::SchedulerConfigJson(source.config.scheduler)},
                                 {"pad_token_id", std::to_string(source.config.text_encoder.pad_token_id)},
                                 {"layout", source.layout},
                                 {"used_ema", source.used_ema ? "true" : "false"}});
}

absl::Status Convert(ip2p::ModelSource source, const std::string& path) {
  if (path.ends_with(".safetensors")) return ip2p::SaveOneFile(source, path);
  if (source.vocab_json.empty()) {
    absl::StatusOr<ip2p::VocabularyFiles> files = ip2p::StandardVocabularyFiles();
    if (!files.ok()) return files.status();
    source.vocab_json = std::move(files->vocab_json);
    source.merges_txt = std::move(files->merges_txt);
  }
  return ip2p::SaveDiffusersFolder(source, path);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (argc < 4 || argc % 2 != 0 || (verb != "open" && verb != "convert")) {
    std::cerr << "usage: checkpoint_probe open|convert MODEL OUT [--vae-ckpt PATH] [--prediction TYPE]\n";
    return 2;
  }
  ip2p::ModelOpenOptions options;
  for (int i = 4; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i], value = argv[i + 1];
    if (flag == "--vae-ckpt") options.vae_path = value;
    if (flag == "--prediction") {
      options.prediction =
          value == "epsilon" ? ip2p::PredictionType::kEpsilon : ip2p::PredictionType::kVPrediction;
    }
  }
  absl::StatusOr<ip2p::ModelSource> source = ip2p::OpenModel(argv[2], options);
  absl::Status status = source.status();
  if (status.ok())
    status = verb == "open" ? WriteFindings(*source, argv[3]) : Convert(*std::move(source), argv[3]);
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
