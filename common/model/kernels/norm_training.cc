// See norm_training.h. With z = scale x + shift per sample and channel, y = silu(z), and dz = dy silu'(z):
//   of the bias    sum dz                          of the weight    sum dz (x - mean) rate
//   of x           rate (weight dz - mean over the group of (weight dz)
//                        - x^ mean over the group of (weight dz x^)),   x^ = (x - mean) rate
#include "common/model/kernels/norm_training.h"

#include <torch/csrc/autograd/custom_function.h>

#include <utility>
#include <vector>

#include "common/model/kernels/cpu_features.h"
#include "common/model/kernels/group_norm_gradient.h"
#include "common/model/kernels/group_norm_stats.h"

namespace ip2p::kernels {
namespace {

using torch::Tensor;

// Of `sums` over chunks, two a channel: the weight's and bias's gradients added up, and the three factors of
// the input's (GradientRows).
struct Backward {
  std::vector<float> of_output, of_input, constant;  // [samples,channels]
  std::vector<double> of_weight, of_bias;            // [channels]
};

Backward Factors(const GroupNormShape& s, const GroupNormAffine& affine, const std::vector<float>& sums,
                 const float* weight) {
  Backward b;
  for (auto* factors : {&b.of_output, &b.of_input, &b.constant}) factors->resize(s.samples * s.channels);
  for (auto* gradients : {&b.of_weight, &b.of_bias}) gradients->resize(s.channels);
  const int64_t width = s.width();
  const auto count = static_cast<double>(s.rows * width);
  std::vector<double> plain(width), centred(width);
  for (int64_t sample = 0; sample < s.samples; ++sample) {
    for (int64_t group = 0; group < s.groups; ++group) {
      const double mean = affine.mean[sample * s.groups + group],
                   rate = affine.rate[sample * s.groups + group];
      double mean_plain = 0, mean_centred = 0;
      for (int64_t i = 0; i < width; ++i) {
        const int64_t c = group * width + i;
        double sum = 0, product = 0;
        for (int64_t chunk = 0; chunk < s.chunks(); ++chunk) {
          const float* at = sums.data() + (sample * s.chunks() + chunk) * 2 * s.channels;
          sum += at[c];
          product += at[s.channels + c];
        }
        b.of_bias[c] += sum;
        b.of_weight[c] += product * rate;
        mean_plain += weight[c] * sum / count;
        mean_centred += weight[c] * product * rate / count;
      }
      for (int64_t c = group * width; c < (group + 1) * width; ++c) {
        const int64_t at = sample * s.channels + c;
        b.of_output[at] = static_cast<float>(weight[c] * rate);
        b.of_input[at] = static_cast<float>(-rate * rate * mean_centred);
        b.constant[at] = static_cast<float>(rate * (rate * mean_centred * mean - mean_plain));
      }
    }
  }
  return b;
}

template <typename T>
T* DataOf(const Tensor& x) {
  return static_cast<T*>(x.data_ptr());
}

template <typename T>
Tensor Forward(const GroupNormShape& s, const Tensor& x, const GroupNormAffine& affine, bool silu) {
  Tensor y = torch::empty(x.sizes(), x.options(), torch::MemoryFormat::ChannelsLast);
  ForEachChunk(s, [&](int64_t sample, int64_t, int64_t first, int64_t rows) {
    const int64_t at = s.offset(sample, first), c = sample * s.channels;
    ScaleRows(Rows<T>{DataOf<T>(x) + at, rows, s.channels}, &affine.scale[c], &affine.shift[c], silu,
              DataOf<T>(y) + at);
  });
  return y;
}

template <typename T>
std::pair<Tensor, Backward> Differentiate(const GroupNormShape& s, const Tensor& x, const Tensor& gradient,
                                          const GroupNormAffine& affine, const float* weight, bool silu) {
  std::vector<float> sums(s.samples * s.chunks() * 2 * s.channels);
  std::vector<float> means(s.samples * s.channels);
  for (int64_t i = 0; i < s.samples * s.channels; ++i)
    means[i] = affine.mean[i / s.channels * s.groups + i % s.channels / s.width()];
  const auto rows_at = [&](int64_t sample, int64_t first, int64_t rows) {
    const int64_t at = s.offset(sample, first), c = sample * s.channels;
    return GroupNormGradientRows<T>{.x = DataOf<T>(x) + at,
                                    .gradient = DataOf<T>(gradient) + at,
                                    .count = rows,
                                    .channels = s.channels,
                                    .scale = &affine.scale[c],
                                    .shift = &affine.shift[c],
                                    .silu = silu};
  };
  ForEachChunk(s, [&](int64_t sample, int64_t chunk, int64_t first, int64_t rows) {
    float* to = sums.data() + (sample * s.chunks() + chunk) * 2 * s.channels;
    SumGradientRows(rows_at(sample, first, rows), &means[sample * s.channels], to, to + s.channels);
  });
  Backward b = Factors(s, affine, sums, weight);
  Tensor of_x = torch::empty(x.sizes(), x.options(), torch::MemoryFormat::ChannelsLast);
  ForEachChunk(s, [&](int64_t sample, int64_t, int64_t first, int64_t rows) {
    const int64_t c = sample * s.channels;
    GradientRows(rows_at(sample, first, rows), &b.of_output[c], &b.of_input[c], &b.constant[c],
                 DataOf<T>(of_x) + s.offset(sample, first));
  });
  return {of_x, std::move(b)};
}

struct Held : torch::CustomClassHolder {
  GroupNormShape shape;
  GroupNormAffine affine;
  bool silu = false;
};

Tensor ToTensor(const std::vector<double>& values, const Tensor& like) {
  return torch::tensor(c10::ArrayRef<double>(values), torch::kFloat64).to(like.scalar_type());
}

struct GroupNormFunction : torch::autograd::Function<GroupNormFunction> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, int64_t groups, double eps, bool silu) {
    const auto held = c10::make_intrusive<Held>();
    held->shape = ShapeOf(x, groups);
    held->silu = silu;
    const bool wide = x.scalar_type() == torch::kFloat32;
    held->affine = wide ? AffineOf(held->shape, x, DataOf<const float>(x), weight, bias, eps)
                        : AffineOf(held->shape, x, DataOf<const Bf16>(x), weight, bias, eps);
    ctx->save_for_backward({x, weight});
    ctx->saved_data["held"] = c10::IValue::make_capsule(held);
    return wide ? Forward<float>(held->shape, x, held->affine, silu)
                : Forward<Bf16>(held->shape, x, held->affine, silu);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto capsule = ctx->saved_data["held"].toCapsule();
    const auto& held = static_cast<const Held&>(*capsule);
    const Tensor &x = saved[0], &weight = saved[1];
    const Tensor gradient = gradients[0].contiguous(torch::MemoryFormat::ChannelsLast);
    const float* weights = weight.const_data_ptr<float>();
    const auto [of_x, sums] =
        x.scalar_type() == torch::kFloat32
            ? Differentiate<float>(held.shape, x, gradient, held.affine, weights, held.silu)
            : Differentiate<Bf16>(held.shape, x, gradient, held.affine, weights, held.silu);
    return {of_x,    ToTensor(sums.of_weight, weight), ToTensor(sums.of_bias, weight), Tensor(), Tensor(),
            Tensor()};
  }
};

}  // namespace

bool TrainsGroupNorm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias) {
  const bool type = x.scalar_type() == torch::kFloat32 || x.scalar_type() == torch::kBFloat16;
  return torch::GradMode::is_enabled() && HasAvx512() && x.is_cpu() && type && x.dim() == 4 &&
         x.numel() > 0 && x.is_contiguous(torch::MemoryFormat::ChannelsLast) && groups > 0 &&
         x.size(1) % groups == 0 && weight.numel() == x.size(1) && bias.numel() == x.size(1) &&
         weight.is_contiguous() && weight.scalar_type() == torch::kFloat32 &&
         bias.scalar_type() == torch::kFloat32;
}

Tensor TrainedGroupNorm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                        bool silu) {
  return GroupNormFunction::apply(x, weight, bias, groups, eps, silu);
}

}  // namespace ip2p::kernels
