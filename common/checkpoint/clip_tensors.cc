// The manifests of CLIP towers and of what is built on them (expected_tensors.h).
#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/tensor_manifest.h"

namespace ip2p {
namespace {

void TextTower(Manifest& m, const TextEncoderConfig& c) {
  m.Layer("text_model.embeddings.token_embedding", {c.vocab_size, c.hidden_size}, false);
  m.Layer("text_model.embeddings.position_embedding", {c.max_positions, c.hidden_size}, false);
  m.ClipEncoder("text_model.encoder", c.num_layers, c.hidden_size, c.intermediate_size);
  m.Norm("text_model.final_layer_norm", c.hidden_size);
}

void VisionTower(Manifest& m, const ClipVisionConfig& c) {
  const std::string embeddings = "vision_model.embeddings";
  m.Parameter(embeddings + ".class_embedding", {c.hidden_size});
  m.Layer(embeddings + ".patch_embedding", {c.hidden_size, 3, c.patch_size, c.patch_size}, false);
  m.Layer(embeddings + ".position_embedding", {c.patches() + 1, c.hidden_size}, false);
  m.Norm("vision_model.pre_layrnorm", c.hidden_size);  // spelled so in every published file
  m.ClipEncoder("vision_model.encoder", c.num_layers, c.hidden_size, c.intermediate_size);
  m.Norm("vision_model.post_layernorm", c.hidden_size);
}

}  // namespace

ShapeMap TextEncoderTensors(const TextEncoderConfig& c) {
  Manifest m;
  TextTower(m, c);
  return std::move(m).Take();
}

ShapeMap ClipTensors(const ClipConfig& c) {
  Manifest m;
  TextTower(m, c.text);
  VisionTower(m, c.vision);
  m.Layer("text_projection", {c.projection_dim, c.text.hidden_size}, false);
  m.Layer("visual_projection", {c.projection_dim, c.vision.hidden_size}, false);
  m.Parameter("logit_scale", {});
  return std::move(m).Take();
}

ShapeMap SafetyCheckerTensors(const ClipConfig& c) {
  Manifest m;
  VisionTower(m, c.vision);
  m.Layer("visual_projection", {c.projection_dim, c.vision.hidden_size}, false);
  m.Parameter("concept_embeds", {kUnsafeConcepts, c.projection_dim});
  m.Parameter("concept_embeds_weights", {kUnsafeConcepts});
  m.Parameter("special_care_embeds", {kSpecialConcepts, c.projection_dim});
  m.Parameter("special_care_embeds_weights", {kSpecialConcepts});
  return std::move(m).Take();
}

}  // namespace ip2p
