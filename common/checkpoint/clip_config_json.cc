// See clip_config_json.h.
#include "common/checkpoint/clip_config_json.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

using nlohmann::json;

constexpr int kMaxWidth = 1 << 16;
constexpr int kMaxSide = 4096;
constexpr int kMaxLayers = 256;
constexpr int kFalseEos = 2;  // of configs before transformers 4.31

absl::StatusOr<json> ParseObject(std::string_view text, const std::string& name) {
  // The callback prunes what is nested too deeply, so that freeing the document cannot exhaust the stack.
  json parsed = json::parse(
      text, [](int depth, json::parse_event_t, json&) { return depth <= 8; }, false);
  if (!parsed.is_object()) return absl::DataLossError(absl::StrCat(name, " is not a JSON object"));
  return parsed;
}

// The fields of one tower. In transformers every field of the *_dict, given or not, overrides the other's.
absl::StatusOr<ConfigReader> Section(const json& whole, const std::string& section, const std::string& name) {
  for (const std::string& key : {section + "_dict", section}) {
    const auto found = whole.find(key);
    if (found == whole.end() || found->is_null()) continue;
    return ConfigReader::Parse(found->dump(-1, ' ', false, json::error_handler_t::replace),
                               absl::StrCat(name, " ", key));
  }
  return ConfigReader::Parse("{}", absl::StrCat(name, " ", section));
}

bool QuickGelu(ConfigReader& reader) {
  const std::string activation = reader.Text("hidden_act", "quick_gelu");
  if (activation != "quick_gelu" && activation != "gelu") {
    reader.Fault("hidden_act", reader.FoundText("hidden_act"), "quick_gelu or gelu");
  }
  return activation == "quick_gelu";
}

void CheckHeads(ConfigReader& reader, int heads, int width) {
  if (width % heads != 0)
    reader.Fault("num_attention_heads", absl::StrCat(heads), absl::StrCat("a divisor of ", width));
}

absl::StatusOr<ClipVisionConfig> ReadVision(const json& whole, const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, Section(whole, "vision_config", name));
  ClipVisionConfig c;
  c.hidden_size = reader.Int("hidden_size", 768, 1, kMaxWidth);
  c.intermediate_size = reader.Int("intermediate_size", 3072, 1, 4 * kMaxWidth);
  c.num_layers = reader.Int("num_hidden_layers", 12, 1, kMaxLayers);
  c.num_heads = reader.Int("num_attention_heads", 12, 1, kMaxWidth);
  c.image_size = reader.SameAtEachLevel("image_size", 224, 2, 1, kMaxSide);
  c.patch_size = reader.SameAtEachLevel("patch_size", 32, 2, 1, kMaxSide);
  if (c.patch_size > c.image_size) {
    reader.Fault("patch_size", absl::StrCat(c.patch_size),
                 absl::StrCat("at most the image_size ", c.image_size));
  }
  c.quick_gelu = QuickGelu(reader);
  c.layer_norm_eps = reader.Number("layer_norm_eps", 1e-5, 1e-12, 1);
  CheckHeads(reader, c.num_heads, c.hidden_size);
  reader.Require("num_channels", 3);
  reader.Require("model_type", "clip_vision_model");
  // Published files carry dozens of settings of text generation here.
  IP2P_RETURN_IF_ERROR(reader.Finish(ConfigReader::UnknownFields::kIgnore));
  return c;
}

absl::StatusOr<json> ParseWhole(std::string_view text, const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(json whole, ParseObject(text, name));
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, name));
  if (reader.Text("model_type", "") != "clip")
    reader.Fault("model_type", reader.FoundText("model_type"), "\"clip\"");
  IP2P_RETURN_IF_ERROR(reader.Finish(ConfigReader::UnknownFields::kIgnore));
  return whole;
}

absl::StatusOr<int> ReadProjection(std::string_view text, const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, name));
  const int width = reader.Int("projection_dim", 512, 1, kMaxWidth);
  IP2P_RETURN_IF_ERROR(reader.Finish(ConfigReader::UnknownFields::kIgnore));
  return width;
}

// A number, or an object that names sides of one length.
int SquareSide(ConfigReader& reader, const json& whole, const char* field, int standard) {
  const auto found = whole.find(field);
  if (found == whole.end() || !found->is_object()) return reader.Int(field, standard, 1, kMaxSide);
  int side = 0;
  for (const char* key : {"shortest_edge", "height", "width"}) {
    const auto value = found->find(key);
    if (value == found->end() || value->is_null()) continue;
    const bool fits = value->is_number_unsigned() && value->get<uint64_t>() >= 1 &&
                      value->get<uint64_t>() <= kMaxSide && (side == 0 || *value == side);
    side = fits ? value->get<int>() : -1;
    if (!fits) break;
  }
  if (side > 0) return side;
  reader.Fault(field, reader.FoundText(field), absl::StrCat("one side in 1..", kMaxSide));
  return standard;
}

void ReadThree(ConfigReader& reader, const json& whole, const char* field, double least,
               std::array<float, 3>& values) {
  const auto found = whole.find(field);
  if (found == whole.end() || found->is_null()) return;
  bool good = found->is_array() && found->size() == values.size();
  for (size_t i = 0; good && i < values.size(); ++i) {
    const json& value = (*found)[i];
    good = value.is_number() && value.get<double>() >= least && value.get<double>() <= 1;
    if (good) values[i] = value.get<float>();
  }
  if (!good) reader.Fault(field, reader.FoundText(field), absl::StrCat("three numbers in ", least, "..1"));
}

}  // namespace

TextEncoderConfig ReadTextTower(ConfigReader& reader) {
  TextEncoderConfig c;
  c.vocab_size = reader.Int("vocab_size", 49408, 1, 1 << 24);
  c.hidden_size = reader.Int("hidden_size", 512, 1, kMaxWidth);
  c.intermediate_size = reader.Int("intermediate_size", 2048, 1, 4 * kMaxWidth);
  c.num_layers = reader.Int("num_hidden_layers", 12, 0, kMaxLayers);
  c.num_heads = reader.Int("num_attention_heads", 8, 1, kMaxWidth);
  c.max_positions = reader.Int("max_position_embeddings", 77, 2, 1 << 16);
  CheckHeads(reader, c.num_heads, c.hidden_size);
  c.quick_gelu = QuickGelu(reader);
  c.layer_norm_eps = reader.Number("layer_norm_eps", 1e-5, 1e-12, 1);
  const std::string type = reader.Text("model_type", "clip_text_model");
  if (type != "clip_text_model")
    reader.Fault("model_type", reader.FoundText("model_type"), "clip_text_model");
  return c;
}

absl::StatusOr<ClipConfig> ParseClipVisionConfig(std::string_view text, const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(const json whole, ParseWhole(text, name));
  ClipConfig c;
  IP2P_ASSIGN_OR_RETURN(c.vision, ReadVision(whole, name));
  IP2P_ASSIGN_OR_RETURN(c.projection_dim, ReadProjection(text, name));
  return c;
}

absl::StatusOr<ClipConfig> ParseClipConfig(std::string_view text, const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(ClipConfig c, ParseClipVisionConfig(text, name));
  IP2P_ASSIGN_OR_RETURN(const json whole, ParseWhole(text, name));
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, Section(whole, "text_config", name));
  c.text = ReadTextTower(reader);
  const int eos = reader.Int("eos_token_id", 49407, 0, 1 << 24);
  c.pooled_token = eos == kFalseEos ? std::nullopt : std::optional(eos);
  IP2P_RETURN_IF_ERROR(reader.Finish(ConfigReader::UnknownFields::kIgnore));
  return c;
}

absl::StatusOr<ClipPreprocessing> ParseClipPreprocessing(std::string_view text, const std::string& name) {
  constexpr int kBicubic = 3;  // Pillow's number
  constexpr double kByte = 1.0 / 255;
  IP2P_ASSIGN_OR_RETURN(const json whole, ParseObject(text, name));
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, name));
  ClipPreprocessing p;
  p.shortest_edge = SquareSide(reader, whole, "size", 224);
  p.crop_size = SquareSide(reader, whole, "crop_size", 224);
  if (p.crop_size > p.shortest_edge) {
    reader.Fault("crop_size", absl::StrCat(p.crop_size), absl::StrCat("at most the size ", p.shortest_edge));
  }
  ReadThree(reader, whole, "image_mean", 0, p.mean);
  ReadThree(reader, whole, "image_std", 1e-3, p.std);
  for (const char* step : {"do_resize", "do_center_crop", "do_normalize", "do_rescale"})
    reader.Require(step, true);
  reader.Require("resample", kBicubic);
  reader.Number("rescale_factor", kByte, kByte - 1e-9, kByte + 1e-9);
  IP2P_RETURN_IF_ERROR(reader.Finish(ConfigReader::UnknownFields::kIgnore));
  return p;
}

std::string ClipConfigText(const ClipConfig& c) {
  const json text = {{"vocab_size", c.text.vocab_size},
                     {"hidden_size", c.text.hidden_size},
                     {"intermediate_size", c.text.intermediate_size},
                     {"num_hidden_layers", c.text.num_layers},
                     {"num_attention_heads", c.text.num_heads},
                     {"max_position_embeddings", c.text.max_positions},
                     {"quick_gelu", c.text.quick_gelu},
                     {"layer_norm_eps", c.text.layer_norm_eps},
                     {"pooled_token", c.pooled_token.value_or(-1)},
                     {"tokens", {c.text.bos_token_id, c.text.eos_token_id, c.text.pad_token_id}}};
  const json vision = {
      {"hidden_size", c.vision.hidden_size},      {"intermediate_size", c.vision.intermediate_size},
      {"num_hidden_layers", c.vision.num_layers}, {"num_attention_heads", c.vision.num_heads},
      {"image_size", c.vision.image_size},        {"patch_size", c.vision.patch_size},
      {"quick_gelu", c.vision.quick_gelu},        {"layer_norm_eps", c.vision.layer_norm_eps}};
  return json({{"text", text}, {"vision", vision}, {"projection_dim", c.projection_dim}}).dump();
}

}  // namespace ip2p
