#include "common/diffusion/masked_denoiser.h"

#include "tests/common/diffusion/sampler_driver.h"

namespace ip2p {
namespace {

using torch::Tensor;

// Every sampler ends at the photo outside of the mask, and inside where it ends without one: the denoiser of
// this test looks at one cell at a time.
class MaskedDenoiserTest : public ::testing::TestWithParam<SamplerKind> {};

TEST_P(MaskedDenoiserTest, TheRestIsThePhotoAndTheInsideAsWithoutAMask) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(4);
  const Tensor photo = torch::randn({1, 4, 8, 8}, generator);
  const Tensor wanted = torch::randn({1, 4, 8, 8}, generator);
  const Tensor mask = torch::rand({1, 1, 8, 8}, generator) < 0.4;
  const AnalyticDenoiser denoise = NormalDenoiser(wanted, 0.5);
  const SamplerConfig config{.kind = GetParam(), .steps = 40};
  const auto plain = MakeSampler(config, SeededNoise(1));
  Drive(*plain, denoise);
  const auto masked = MakeSampler(config, SeededNoise(1));
  Drive(*masked, [&](const Tensor& x, double sigma) { return KeepOutside(mask, denoise(x, sigma), photo); });
  const Tensor difference = (masked->latents() - torch::where(mask, plain->latents(), photo)).abs();
  // ddim's last noise level is 0.03, and so much noise is left over; of unipc's a part.
  EXPECT_LT(difference.max().item<double>(), GetParam() == SamplerKind::kDdim ? 4 * 0.03 : 0.02);
  EXPECT_TRUE(masked->latents().masked_select(mask).equal(plain->latents().masked_select(mask)));
}

INSTANTIATE_TEST_SUITE_P(Samplers, MaskedDenoiserTest, ::testing::ValuesIn(AllSamplers()), CaseName);

TEST(KeepOutsideTest, EachPlaceIsOneOfTheTwoBitForBit) {
  const Tensor denoised = torch::full({1, 4, 2, 3}, 0.1), photo = torch::full({1, 4, 2, 3}, 1e8);
  const Tensor mask = torch::tensor({true, false, true, false, false, true}).reshape({1, 1, 2, 3});
  const Tensor kept = KeepOutside(mask, denoised, photo);
  EXPECT_TRUE(kept.masked_select(mask).eq(0.1f).all().item<bool>());
  EXPECT_TRUE(kept.masked_select(~mask).eq(1e8f).all().item<bool>());
}

}  // namespace
}  // namespace ip2p
