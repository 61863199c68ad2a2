// Parts by themselves equal what the engines make of the same networks. Against diffusers and transformers:
// tests/parity/test_model.py and test_clip.py, which judge the networks.
#include "common/pipeline/part_probe.h"

#include <gmock/gmock.h>

#include "common/model/load_network.h"
#include "common/model/vae/vae.h"
#include "common/pipeline/clip_scorer.h"
#include "common/pipeline/image_tensor.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

Image Waves(int side, int phase) {
  Image image{.width = side, .height = side};
  for (int i = 0; i < side * side * 3; ++i) image.pixels.push_back(static_cast<uint8_t>(i * phase % 251));
  return image;
}

TEST(PartProbe, GoesThroughTheAutoencoderByItsMode) {
  const ModelSource model = RandomModel(TinyConfig(), 1);
  const auto probe = PartProbe::Create(model, RandomClip(TinyClipConfig(), 5), "cpu");
  ASSERT_TRUE(probe.ok()) << probe.status();
  const Image picture = Waves(64, 7);
  const auto back = (*probe)->Reconstruct(picture);
  ASSERT_TRUE(back.ok()) << back.status();
  const torch::NoGradGuard no_grad;
  Vae vae = *LoadNetwork<Vae>(model.config.vae, model.vae, "vae", {.pack = false}, Packing::kNever);
  const Image wanted = TensorToImage(vae->Decode(vae->EncodeMode(ImageToTensor(picture, torch::kCPU))));
  ASSERT_EQ(back->pixels.size(), wanted.pixels.size());
  for (size_t i = 0; i < wanted.pixels.size(); ++i) ASSERT_NEAR(back->pixels[i], wanted.pixels[i], 1) << i;
}

TEST(PartProbe, MatchesByCosine) {
  const ClipSource clip = RandomClip(TinyClipConfig(), 5);
  const auto probe = PartProbe::Create(RandomModel(TinyConfig(), 1), clip, "cpu");
  ASSERT_TRUE(probe.ok()) << probe.status();
  const std::vector<Image> pictures = {Waves(32, 3), Waves(32, 5)};
  const std::vector<std::string> captions = {"a red circle", "sand", ""};
  const auto cosines = (*probe)->Match(pictures, captions);
  ASSERT_TRUE(cosines.ok()) << cosines.status();
  ASSERT_EQ(cosines->size(), 2u);
  const torch::NoGradGuard no_grad;
  const auto scorer = *ClipScorer::Create(clip, torch::kCPU);
  const torch::Tensor texts = scorer->Texts(captions);
  for (size_t i = 0; i < pictures.size(); ++i) {
    const torch::Tensor image = scorer->Images((ImageToTensor(pictures[i], torch::kCPU) + 1) / 2)[0];
    ASSERT_EQ((*cosines)[i].size(), 3u);
    for (size_t j = 0; j < captions.size(); ++j)
      EXPECT_NEAR((*cosines)[i][j], Cosine(image, texts[static_cast<int64_t>(j)]), 1e-5);
  }
}

TEST(PartProbe, AnUnknownDeviceIsRefused) {
  EXPECT_EQ(
      PartProbe::Create(RandomModel(TinyConfig(), 1), RandomClip(TinyClipConfig(), 5), "tpu").status().code(),
      absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ip2p
