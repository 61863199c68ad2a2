#include "common/checkpoint/describe_model.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/json.h"

namespace ip2p {
namespace {

PartDescription DescribePart(const char* name, const TensorMap& tensors) {
  PartDescription part{.name = name, .tensors = tensors.size()};
  std::set<std::string> dtypes;
  for (const auto& [key, view] : tensors) {
    part.parameters += static_cast<int64_t>(view.data.size() / DTypeSize(view.dtype));
    part.bytes += static_cast<int64_t>(view.data.size());
    dtypes.insert(DTypeName(view.dtype));
  }
  part.dtypes = absl::StrJoin(dtypes, ", ");
  return part;
}

std::string Family(const ModelConfig& c) {
  std::string family = c.unet.use_linear_projection ? "Stable Diffusion 2.x" : "Stable Diffusion 1.x";
  if (c.unet.in_channels == 2 * c.vae.latent_channels) {
    family += ", InstructPix2Pix";
  } else if (c.unet.in_channels == c.vae.latent_channels) {
    family += ", text to image";
  } else {
    absl::StrAppend(&family, ", ", c.unet.in_channels, " input channels");
  }
  return family;
}

}  // namespace

ModelDescription DescribeModel(const ModelSource& source) {
  ModelDescription description;
  description.family = Family(source.config);
  description.layout = source.layout;
  description.used_ema = source.used_ema;
  description.own_vocabulary = !source.vocab_json.empty();
  description.prediction =
      source.config.scheduler.prediction == PredictionType::kEpsilon ? "epsilon" : "v_prediction";
  description.config = source.config;
  description.parts = {DescribePart("unet", source.unet), DescribePart("vae", source.vae),
                       DescribePart("text_encoder", source.text_encoder)};
  return description;
}

std::string DescriptionText(const ModelDescription& d) {
  const ModelConfig& c = d.config;
  std::string text;
  auto line = [&text](const char* name, const std::string& value) {
    absl::StrAppend(&text, absl::StrFormat("%-13s %s\n", name, value));
  };
  line("family", d.family);
  line("layout", d.layout + (d.used_ema ? " (EMA weights)" : ""));
  line("prediction", d.prediction);
  for (const PartDescription& part : d.parts) {
    line(part.name.c_str(),
         absl::StrFormat("%.1f M parameters, %d tensors, %.1f MB, %s", part.parameters / 1e6, part.tensors,
                         part.bytes / 1e6, part.dtypes));
  }
  line("unet levels",
       absl::StrCat(absl::StrJoin(c.unet.block_out_channels, ", "), " channels; heads ",
                    absl::StrJoin(c.unet.attention_heads, ", "), "; context ", c.unet.cross_attention_dim));
  line("vae levels", absl::StrCat(absl::StrJoin(c.vae.block_out_channels, ", "), " channels; 1/",
                                  c.vae.downscale(), " scale; ", c.vae.latent_channels, " latent channels"));
  line("text layers", absl::StrCat(c.text_encoder.num_layers, " of ", c.text_encoder.hidden_size, "; ",
                                   c.text_encoder.quick_gelu ? "quick gelu" : "gelu"));
  line("vocabulary", d.own_vocabulary ? "the model's own" : "the standard one");
  return text;
}

std::string DescriptionJson(const ModelDescription& d) {
  nlohmann::ordered_json json = {{"family", d.family},
                                 {"layout", d.layout},
                                 {"used_ema", d.used_ema},
                                 {"own_vocabulary", d.own_vocabulary},
                                 {"prediction", d.prediction}};
  for (const PartDescription& part : d.parts) {
    json["parts"][part.name] = {{"tensors", part.tensors},
                                {"parameters", part.parameters},
                                {"bytes", part.bytes},
                                {"dtypes", part.dtypes}};
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ip2p
