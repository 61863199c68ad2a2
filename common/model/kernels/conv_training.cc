// See conv_training.h.
#include "common/model/kernels/conv_training.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "common/model/kernels/conv_columns.h"
#include "common/model/kernels/cpu_features.h"

namespace ip2p::kernels {
namespace {

using torch::Tensor;

// Measured on two cores with AMX. Of up to so many rows all three products are cheaper than oneDNN's, which
// spends its time on the weight; of more, only the weight's gradient, as long as its columns are not large.
constexpr int64_t kFewRows = 256;
constexpr int64_t kMostColumnBytes = int64_t{32} << 20;
constexpr int64_t kGrainBytes = 1 << 16;

ConvShape ShapeOf(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) {
  const int64_t kernel = weight.size(2);
  const auto out = [&](int64_t side) { return (side + 2 * padding - kernel) / stride + 1; };
  return {.samples = x.size(0),
          .channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .out_height = out(x.size(2)),
          .out_width = out(x.size(3)),
          .kernel = kernel,
          .stride = stride,
          .padding = padding};
}

Tensor ChannelsLast(const Tensor& x) { return x.contiguous(torch::MemoryFormat::ChannelsLast); }
// [N,C,H,W], channels_last -> [N*H*W,C], a view.
Tensor PixelRows(const Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)}); }
// [O,I,k,k], channels_last -> [O,k*k*I], a view.
Tensor WeightRows(const Tensor& weight) { return weight.permute({0, 2, 3, 1}).reshape({weight.size(0), -1}); }

const Bf16* DataOf(const Tensor& x) {
  return reinterpret_cast<const Bf16*>(x.const_data_ptr<at::BFloat16>());
}
Bf16* MutableDataOf(const Tensor& x) { return reinterpret_cast<Bf16*>(x.mutable_data_ptr<at::BFloat16>()); }

// x channels_last -> [rows,columns]
Tensor Columns(const ConvShape& s, const Tensor& x) {
  if (s.plain()) return PixelRows(x);
  Tensor columns = torch::empty({s.rows(), s.columns()}, x.options());
  const int64_t row_bytes = s.columns() * static_cast<int64_t>(sizeof(Bf16));
  at::parallel_for(0, s.rows(), std::max<int64_t>(1, kGrainBytes / row_bytes),
                   [&](int64_t begin, int64_t end) {
                     GatherColumns(s, DataOf(x), begin, end, MutableDataOf(columns) + begin * s.columns());
                   });
  return columns;
}

// [rows,columns] -> the gradient of x, channels_last.
Tensor FromColumns(const ConvShape& s, const Tensor& columns) {
  Tensor x = torch::empty({s.samples, s.channels, s.height, s.width}, columns.options(),
                          torch::MemoryFormat::ChannelsLast);
  if (s.plain()) {
    PixelRows(x).copy_(columns);
    return x;
  }
  at::parallel_for(0, s.samples, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    std::vector<float> sums(s.height * s.width * s.channels);
    for (int64_t sample = begin; sample < end; ++sample)
      ScatterColumns(s, sample, DataOf(columns), sums.data(), MutableDataOf(x));
  });
  return x;
}

struct ConvFunction : torch::autograd::Function<ConvFunction> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& given_x,
                        const Tensor& given_weight, const Tensor& bias, int64_t stride, int64_t padding) {
    const Tensor x = ChannelsLast(given_x), weight = ChannelsLast(given_weight);
    ctx->save_for_backward({x, weight});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    const ConvShape s = ShapeOf(x, weight, stride, padding);
    if (s.rows() > kFewRows) return at::conv2d(x, weight, bias, stride, padding);
    return at::linear(Columns(s, x), WeightRows(weight), bias)
        .view({s.samples, s.out_height, s.out_width, weight.size(0)})
        .permute({0, 3, 1, 2});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], gradient = ChannelsLast(gradients[0]);
    const int64_t stride = ctx->saved_data["stride"].toInt(), padding = ctx->saved_data["padding"].toInt();
    const ConvShape s = ShapeOf(x, weight, stride, padding);
    const Tensor rows = PixelRows(gradient);
    const bool wants_x = ctx->needs_input_grad(0), wants_weight = ctx->needs_input_grad(1);
    const bool few = s.rows() <= kFewRows;
    const bool small =
        s.plain() || s.rows() * s.columns() * static_cast<int64_t>(sizeof(Bf16)) <= kMostColumnBytes;
    Tensor of_x, of_weight, of_bias;
    if (wants_weight && small) {
      of_weight = torch::mm(rows.t(), Columns(s, x))
                      .view({weight.size(0), s.kernel, s.kernel, s.channels})
                      .permute({0, 3, 1, 2});
    }
    if (wants_x && (few || s.plain())) of_x = FromColumns(s, torch::mm(rows, WeightRows(weight)));
    const std::array<bool, 3> left = {wants_x && !of_x.defined(), wants_weight && !of_weight.defined(),
                                      false};
    if (left[0] || left[1]) {
      const auto made =
          at::convolution_backward(gradient, x, weight, c10::nullopt, {stride, stride}, {padding, padding},
                                   {1, 1}, /*transposed=*/false, {0, 0}, /*groups=*/1, left);
      if (left[0]) of_x = std::get<0>(made);
      if (left[1]) of_weight = std::get<1>(made);
    }
    if (ctx->needs_input_grad(2)) of_bias = rows.sum(0);
    return {of_x, of_weight, of_bias, Tensor(), Tensor()};
  }
};

// As autocast's own wrapper converts an argument.
Tensor Cast(const Tensor& x) {
  if (!at::autocast::is_autocast_enabled(at::kCPU)) return x;
  return at::autocast::cached_cast(at::autocast::get_autocast_dtype(at::kCPU), x, at::kCPU);
}

}  // namespace

Tensor TrainedConv2d(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias,
                     int64_t stride, int64_t padding) {
  const bool learns = torch::GradMode::is_enabled() && given_x.is_cpu() && given_x.numel() > 0 &&
                      given_weight.size(2) == given_weight.size(3) && HasAvx512Bf16();
  if (!learns) return torch::conv2d(given_x, given_weight, given_bias, stride, padding);
  const Tensor x = Cast(given_x), weight = Cast(given_weight), bias = Cast(given_bias);
  if (x.scalar_type() != torch::kBFloat16 || weight.scalar_type() != torch::kBFloat16)
    return torch::conv2d(x, weight, bias, stride, padding);
  return ConvFunction::apply(x, weight, bias, stride, padding);
}

}  // namespace ip2p::kernels
