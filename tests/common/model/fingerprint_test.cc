// A fingerprint changes with whatever changes the computation, and with nothing else.
#include "common/model/fingerprint.h"

#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

template <typename Source>
std::string Of(const Source& source) {
  Fingerprint fingerprint;
  fingerprint.Add(source);
  return fingerprint.Hex();
}

// The same bytes elsewhere in memory, with one bit of one tensor turned when asked.
TensorMap Copied(const TensorMap& tensors, const std::string& turned = "") {
  TensorMap copies;
  for (const auto& [name, view] : tensors) {
    auto bytes = std::make_shared<std::vector<std::byte>>(view.data.begin(), view.data.end());
    if (name == turned) bytes->back() ^= std::byte{1};
    copies[name] = {view.dtype, view.shape, *bytes, bytes};
  }
  return copies;
}

TEST(FingerprintTest, IsOfTheContentAlone) {
  const ModelSource source = RandomModel(TinyConfig(), 1);
  const std::string hex = Of(source);
  EXPECT_EQ(hex.size(), 32U);
  ModelSource elsewhere = source;
  elsewhere.unet = Copied(source.unet);
  elsewhere.vae = Copied(source.vae);
  elsewhere.layout = "ckpt";
  elsewhere.config_files["unet/config.json"] = "{ }";
  EXPECT_EQ(Of(elsewhere), hex);
}

TEST(FingerprintTest, FeelsWeightsConfigsAndVocabularies) {
  const ModelSource source = RandomModel(TinyConfig(), 1);
  const std::vector<std::function<void(ModelSource&)>> changes = {
      [](ModelSource&) {},
      [](ModelSource& s) { s.unet = Copied(s.unet, "conv_in.weight"); },
      [](ModelSource& s) { s.vae = Copied(s.vae, "decoder.conv_out.bias"); },
      [](ModelSource& s) { s.text_encoder = RandomModel(TinyConfig(), 2).text_encoder; },
      [](ModelSource& s) { std::swap(s.unet.at("conv_in.weight"), s.unet.at("conv_out.weight")); },
      [](ModelSource& s) { s.config.scheduler.prediction = PredictionType::kVPrediction; },
      [](ModelSource& s) { s.config.unet.norm_eps = 1e-6; },
      [](ModelSource& s) { s.config.text_encoder.pad_token_id = 0; },
      [](ModelSource& s) { s.merges_txt += "a b\n"; },
      [](ModelSource& s) { s.unet.at("conv_out.bias").dtype = DType::kInt32; },
  };
  std::set<std::string> found;
  for (const auto& change : changes) {
    ModelSource changed = source;
    change(changed);
    found.insert(Of(changed));
  }
  EXPECT_EQ(found.size(), changes.size());
}

TEST(FingerprintTest, FeelsClipAndSafetyChecker) {
  const ClipSource clip = RandomClip(TinyClipConfig(), 1);
  const SafetyCheckerSource safety = RandomSafetyChecker(TinyClipConfig(), 1);
  std::set<std::string> found = {Of(clip), Of(safety)};
  ClipSource other = clip;
  other.tensors = Copied(clip.tensors);
  EXPECT_EQ(Of(other), Of(clip));
  other.tensors = Copied(clip.tensors, "vision_model.pre_layrnorm.bias");
  found.insert(Of(other));
  other = clip;
  other.preprocessing.mean[2] += 1e-6F;
  found.insert(Of(other));
  other = clip;
  other.config.vision.quick_gelu = false;
  found.insert(Of(other));
  SafetyCheckerSource looser = safety;
  looser.tensors = Copied(safety.tensors, "concept_embeds_weights");
  found.insert(Of(looser));
  EXPECT_EQ(found.size(), 6U);
}

TEST(FingerprintTest, IsOfAllThatWasAddedInOrder) {
  const ModelSource model = RandomModel(TinyConfig(), 1);
  const ClipSource clip = RandomClip(TinyClipConfig(), 1);
  Fingerprint a, b;
  a.Add(model), a.Add(clip);
  b.Add(clip), b.Add(model);
  EXPECT_NE(a.Hex(), b.Hex());
  EXPECT_NE(a.Hex(), Of(model));
}

}  // namespace
}  // namespace ip2p
