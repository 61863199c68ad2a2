// Our kernels against torch's operators, in one run: time of each as the least of several, rate, and ratio.
// Two threads, as the project's other figures; alone on the machine. Arguments: words that a line must
// contain to be run.
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/model/kernels/activation.h"
#include "common/model/kernels/attention_path.h"
#include "common/model/kernels/norm.h"
#include "common/model/layers.h"

namespace ip2p {
namespace {

using kernels::AttentionPath;

constexpr int kThreads = 2;
constexpr int kRounds = 7;
std::vector<std::string> wanted_words;

double Seconds(const std::function<torch::Tensor()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One line: torch's time, ours, ours over torch's. The two take turns, so that a busy machine slows both.
void Compare(const std::string& name, double work, const char* unit,
             const std::function<torch::Tensor()>& theirs, const std::function<torch::Tensor()>& ours) {
  for (const std::string& word : wanted_words) {
    if (name.find(word) == std::string::npos) return;
  }
  double least_theirs = std::numeric_limits<double>::infinity(), least_ours = least_theirs;
  for (int round = 0; round < kRounds; ++round) {
    least_theirs = std::min(least_theirs, Seconds(theirs));
    least_ours = std::min(least_ours, Seconds(ours));
  }
  std::printf("%-52s torch %8.3f ms %7.0f %s   ours %8.3f ms %7.0f %s   ratio %.2f\n", name.c_str(),
              least_theirs * 1e3, work / least_theirs * 1e-9, unit, least_ours * 1e3,
              work / least_ours * 1e-9, unit, least_ours / least_theirs);
}

torch::Tensor Noise(c10::IntArrayRef shape) { return torch::randn(shape).to(torch::kBFloat16); }

void BenchAttention(int64_t samples, int64_t heads, int64_t queries, int64_t keys, int64_t dim) {
  const torch::Tensor q = Noise({samples, queries, heads * dim});
  const torch::Tensor k = Noise({samples, keys, heads * dim}), v = Noise({samples, keys, heads * dim});
  const double flops = 4.0 * static_cast<double>(samples * heads * queries * keys * dim);
  const std::string shape = std::to_string(samples) + "x" + std::to_string(heads) + "x" +
                            std::to_string(queries) + "x" + std::to_string(keys) + "x" + std::to_string(dim);
  auto run = [&](AttentionPath path) {
    return [&, path] { return kernels::AttentionOn(path, q, k, v, heads, /*causal=*/false); };
  };
  for (const auto& [path, name] :
       {std::pair(AttentionPath::kFlashAmx, "amx"), {AttentionPath::kFlashAvx512, "avx512"}}) {
    if (!kernels::IsAvailable(path)) continue;
    Compare("attention " + std::string(name) + " " + shape, flops, "GFLOP/s", run(AttentionPath::kTorch),
            run(path));
  }
}

// Maps of two rows serve four: our fused kernel and the float32 one against torch over repeated maps. Rates
// count what torch computes.
void BenchSharedAttention(int64_t tokens, int64_t dim) {
  constexpr int64_t kRows = 4, kHeads = 8;
  const torch::Tensor q = Noise({kRows / 2, tokens, kHeads * dim}),
                      k = Noise({kRows / 2, tokens, kHeads * dim});
  const torch::Tensor v = Noise({kRows, tokens, kHeads * dim});
  const double flops = 4.0 * static_cast<double>(kRows * kHeads * tokens * tokens * dim);
  const std::string shape = std::to_string(tokens) + "x" + std::to_string(dim);
  const torch::Tensor all_q = torch::cat({q, q}), all_k = torch::cat({k, k});
  const AttentionPath best = kernels::ChooseAttention(q, k, v, kHeads, /*causal=*/false);
  Compare(
      "shared bf16 (torch = our four maps) " + shape, flops, "GFLOP/s",
      [&] { return kernels::AttentionOn(best, all_q, all_k, v, kHeads, /*causal=*/false); },
      [&] { return kernels::SharedAttentionOn(best, q, k, v, kHeads); });
  const auto f = [](const torch::Tensor& x) { return x.to(torch::kFloat32); };
  const torch::Tensor qf = f(q), kf = f(k), vf = f(v), all_qf = f(all_q), all_kf = f(all_k);
  Compare(
      "shared fp32 (torch = four maps) " + shape, flops, "GFLOP/s",
      [&] {
        return kernels::AttentionOn(AttentionPath::kTorch, all_qf, all_kf, vf, kHeads, /*causal=*/false);
      },
      [&] { return kernels::SharedAttentionOn(AttentionPath::kTorch, qf, kf, vf, kHeads); });
}

void BenchAttentions() {
  for (const int64_t scale : {1, 2}) {  // 256 and 512 px, one guided step of SD 1.5
    const int64_t side = 32 * scale;
    for (const auto& [divisor, dim] : {std::pair<int64_t, int64_t>(1, 40), {2, 80}, {4, 160}}) {
      const int64_t tokens = side / divisor * (side / divisor);
      BenchAttention(3, 8, tokens, tokens, dim);
      BenchAttention(3, 8, tokens, 77, dim);
    }
  }
  for (const int64_t scale : {1, 4}) {
    for (const auto& [tokens, dim] : {std::pair<int64_t, int64_t>(1024, 40), {256, 80}, {64, 160}}) {
      BenchSharedAttention(tokens * scale, dim);
    }
  }
  BenchAttention(3, 5, 4096, 4096, 64);   // SD 2.x
  BenchAttention(1, 1, 1024, 1024, 512);  // VAE
  BenchAttention(1, 1, 4096, 4096, 512);
}

void BenchNorms() {
  for (const auto& [samples, channels, side] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {3, 320, 64}, {3, 640, 32}, {3, 1280, 16}, {3, 960, 64}, {1, 128, 512}, {1, 512, 128}}) {
    const torch::Tensor x =
        Noise({samples, channels, side, side}).contiguous(torch::MemoryFormat::ChannelsLast);
    const torch::Tensor weight = Noise({channels}), bias = Noise({channels});
    Compare(
        "group norm + silu " + std::to_string(samples) + "x" + std::to_string(channels) + "x" +
            std::to_string(side) + "x" + std::to_string(side),
        2.0 * 2 * static_cast<double>(x.numel()), "GB/s",
        [&] { return torch::silu(torch::group_norm(x, 32, weight, bias, 1e-5)); },
        [&] { return kernels::GroupNorm(x, 32, weight, bias, 1e-5, /*silu=*/true); });
  }
}

void BenchGeglu() {
  for (const auto& [tokens, channels] : {std::pair<int64_t, int64_t>(4096, 320), {1024, 640}, {256, 1280}}) {
    const torch::Tensor x = Noise({3, tokens, 8 * channels});
    const auto theirs = [&] {
      const auto halves = x.chunk(2, -1);
      return halves[0] * torch::gelu(halves[1]);
    };
    Compare("geglu 3x" + std::to_string(tokens) + "x" + std::to_string(8 * channels),
            3.0 * static_cast<double>(x.numel()), "GB/s", theirs, [&] { return Geglu(x); });
  }
}

void Randomise(const torch::nn::Module& layer, torch::ScalarType type) {
  for (torch::Tensor& p : layer.parameters()) p.set_data((torch::randn(p.sizes()) * 0.05).to(type));
}

void BenchLayers(torch::ScalarType type) {
  const std::string suffix = type == torch::kBFloat16 ? " bf16" : " fp32";
  for (const auto& [tokens, in, out] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{12288, 320, 320},
                                                          {12288, 320, 2560},
                                                          {3072, 640, 640},
                                                          {3072, 640, 5120},
                                                          {768, 1280, 1280},
                                                          {768, 1280, 10240},
                                                          {768, 5120, 1280},
                                                          {192, 1280, 1280}}) {
    Linear plain(in, out), packed(in, out);
    Randomise(*plain, type);
    Randomise(*packed, type);
    packed->Pack();
    const torch::Tensor x = torch::randn({tokens, in}).to(type);
    Compare(
        "linear" + suffix + " " + std::to_string(tokens) + "x" + std::to_string(in) + "x" +
            std::to_string(out),
        2.0 * static_cast<double>(tokens * in * out), "GFLOP/s", [&] { return plain->forward(x); },
        [&] { return packed->forward(x); });
  }
  for (const auto& [in, out, side] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{{8, 320, 64},
                                                                                        {320, 320, 64},
                                                                                        {640, 640, 32},
                                                                                        {1280, 1280, 16},
                                                                                        {2560, 1280, 8},
                                                                                        {128, 128, 256}}) {
    Conv2d plain(in, out, 3, 1, 1), packed(in, out, 3, 1, 1);
    Randomise(*plain, type);
    Randomise(*packed, type);
    packed->Pack();
    const torch::Tensor x =
        torch::randn({3, in, side, side}).to(type).contiguous(torch::MemoryFormat::ChannelsLast);
    Compare(
        "conv3x3" + suffix + " 3x" + std::to_string(in) + "x" + std::to_string(side) + "x" +
            std::to_string(side) + " to " + std::to_string(out),
        2.0 * 9 * 3 * static_cast<double>(in * out * side * side), "GFLOP/s",
        [&] { return plain->forward(x); }, [&] { return packed->forward(x); });
  }
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  ip2p::wanted_words.assign(argv + 1, argv + argc);
  torch::set_num_threads(ip2p::kThreads);
  torch::manual_seed(1);
  const torch::NoGradGuard no_grad;
  ip2p::BenchAttentions();
  ip2p::BenchNorms();
  ip2p::BenchGeglu();
  ip2p::BenchLayers(torch::kBFloat16);
  ip2p::BenchLayers(torch::kFloat32);
}
