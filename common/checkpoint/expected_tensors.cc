#include "common/checkpoint/expected_tensors.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/checkpoint/tensor_manifest.h"
#include "common/checkpoint/text_quote.h"

namespace ip2p {
namespace {

void VaeMidBlock(Manifest& m, const std::string& name, int64_t channels, bool attention) {
  m.Resnet(name + ".resnets.0", channels, channels, 0);
  if (attention) {
    m.Norm(name + ".attentions.0.group_norm", channels);
    for (const char* layer : {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
      m.Layer(name + ".attentions.0" + layer, {channels, channels});
    }
  }
  m.Resnet(name + ".resnets.1", channels, channels, 0);
}

}  // namespace

ShapeMap UNetTensors(const UNetConfig& c) {
  Manifest m;
  const int levels = static_cast<int>(c.block_out_channels.size());
  const int64_t first = c.block_out_channels.front(), last = c.block_out_channels.back();
  const int64_t time = 4 * first;
  m.Layer("time_embedding.linear_1", {time, first});
  m.Layer("time_embedding.linear_2", {time, time});
  m.Conv("conv_in", c.in_channels, first, 3);
  std::vector<int64_t> skips = {first};  // channels of what the up path concatenates
  int64_t channels = first;
  for (int level = 0; level < levels; ++level) {
    const std::string block = absl::StrCat("down_blocks.", level);
    for (int i = 0; i < c.layers_per_block[level]; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels, c.block_out_channels[level], time);
      channels = c.block_out_channels[level];
      if (c.attention[level]) m.Transformer(absl::StrCat(block, ".attentions.", i), channels, c);
      skips.push_back(channels);
    }
    if (level + 1 < levels) {
      m.Conv(block + ".downsamplers.0.conv", channels, channels, 3);
      skips.push_back(channels);
    }
  }
  m.Resnet("mid_block.resnets.0", last, last, time);
  m.Transformer("mid_block.attentions.0", last, c);
  m.Resnet("mid_block.resnets.1", last, last, time);
  for (int level = levels - 1; level >= 0; --level) {
    const std::string block = absl::StrCat("up_blocks.", levels - 1 - level);
    for (int i = 0; i < c.layers_per_block[level] + 1; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels + skips.back(), c.block_out_channels[level],
               time);
      skips.pop_back();
      channels = c.block_out_channels[level];
      if (c.attention[level]) m.Transformer(absl::StrCat(block, ".attentions.", i), channels, c);
    }
    if (level > 0) m.Conv(block + ".upsamplers.0.conv", channels, channels, 3);
  }
  m.Norm("conv_norm_out", first);
  m.Conv("conv_out", first, c.out_channels, 3);
  return std::move(m).Take();
}

ShapeMap VaeTensors(const VaeConfig& c) {
  Manifest m;
  const int levels = static_cast<int>(c.block_out_channels.size());
  const int64_t first = c.block_out_channels.front(), last = c.block_out_channels.back();
  m.Conv("encoder.conv_in", c.in_channels, first, 3);
  int64_t channels = first;
  for (int level = 0; level < levels; ++level) {
    const std::string block = absl::StrCat("encoder.down_blocks.", level);
    for (int i = 0; i < c.layers_per_block; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels, c.block_out_channels[level], 0);
      channels = c.block_out_channels[level];
    }
    if (level + 1 < levels) m.Conv(block + ".downsamplers.0.conv", channels, channels, 3);
  }
  VaeMidBlock(m, "encoder.mid_block", last, c.mid_block_attention);
  m.Norm("encoder.conv_norm_out", last);
  m.Conv("encoder.conv_out", last, 2 * c.latent_channels, 3);  // mean and log variance
  m.Conv("quant_conv", 2 * c.latent_channels, 2 * c.latent_channels, 1);
  m.Conv("post_quant_conv", c.latent_channels, c.latent_channels, 1);
  m.Conv("decoder.conv_in", c.latent_channels, last, 3);
  VaeMidBlock(m, "decoder.mid_block", last, c.mid_block_attention);
  for (int level = levels - 1; level >= 0; --level) {
    const std::string block = absl::StrCat("decoder.up_blocks.", levels - 1 - level);
    for (int i = 0; i < c.layers_per_block + 1; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels, c.block_out_channels[level], 0);
      channels = c.block_out_channels[level];
    }
    if (level > 0) m.Conv(block + ".upsamplers.0.conv", channels, channels, 3);
  }
  m.Norm("decoder.conv_norm_out", first);
  m.Conv("decoder.conv_out", first, c.out_channels, 3);
  return std::move(m).Take();
}

absl::Status CheckTensors(const std::string& part, const ShapeMap& expected, const TensorMap& actual) {
  constexpr size_t kNamed = 10;
  std::vector<std::string> faults;
  size_t count = 0;
  auto report = [&](auto&&... text) {
    if (++count <= kNamed) faults.push_back(absl::StrCat(text...));
  };
  for (const auto& [name, shape] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) {
      report(name, " is missing");
    } else if (found->second.shape != shape) {
      report(name, " is ", ShapeText(found->second.shape), "; wants ", ShapeText(shape));
    } else if (!IsFloat(found->second.dtype)) {
      report(name, " is ", DTypeName(found->second.dtype), "; wants a floating-point type");
    }
  }
  for (const auto& [name, view] : actual) {
    if (!expected.contains(name)) report(Quoted(name), " is unexpected");
  }
  if (count == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(part, " does not fit its architecture: ", absl::StrJoin(faults, ", "),
                   count > kNamed ? absl::StrCat(", and ", count - kNamed, " more") : ""));
}

}  // namespace ip2p
