// See fingerprint.h. SipHash with a zero key: it tells models apart, it does not prove who made them.
#include "common/model/fingerprint.h"

#include <ATen/Parallel.h>

#include <array>
#include <atomic>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/hash128.h"
#include "common/checkpoint/clip_config_json.h"
#include "common/checkpoint/model_config_json.h"
#include "common/model/process_memory.h"

namespace ip2p {
namespace {

std::string HexOf(const Hash128& hash) { return absl::StrFormat("%016x%016x", hash.high, hash.low); }

std::string PreprocessingText(const ClipPreprocessing& p) {
  std::string text = absl::StrCat(p.shortest_edge, " ", p.crop_size);
  for (const std::array<float, 3>& values : {p.mean, p.std}) {
    for (const float value : values) absl::StrAppendFormat(&text, " %.9g", value);
  }
  return text;
}

}  // namespace

void Fingerprint::AddText(const char* what, const std::string& text) {
  absl::StrAppend(&lines_, what, " ", HexOf(HashText(text)), "\n");
}

void Fingerprint::AddTensors(const char* part, const TensorMap& tensors) {
  std::vector<const TensorMap::value_type*> entries;
  entries.reserve(tensors.size());
  for (const auto& entry : tensors) entries.push_back(&entry);
  std::vector<Hash128> hashes(entries.size());
  const ReadOnlyFileMappings mappings;
  std::atomic<size_t> next = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
    for (size_t i = next++; i < entries.size(); i = next++) {
      const std::span<const std::byte> data = entries[i]->second.data;
      mappings.Populate(data);
      hashes[i] = HashText({reinterpret_cast<const char*>(data.data()), data.size()});
      mappings.Release(data);
    }
  });
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto& [name, view] = *entries[i];
    absl::StrAppend(&lines_, part, ".", name, " ", DTypeName(view.dtype), " ", ShapeText(view.shape), " ",
                    HexOf(hashes[i]), "\n");
  }
}

void Fingerprint::Add(const ModelSource& source) {
  const ModelConfig& c = source.config;
  AddText("unet", UNetConfigJson(c.unet));
  AddText("vae", VaeConfigJson(c.vae));
  AddText("text_encoder", TextEncoderConfigJson(c.text_encoder));
  absl::StrAppend(&lines_, "tokens ", c.text_encoder.bos_token_id, " ", c.text_encoder.eos_token_id, " ",
                  c.text_encoder.pad_token_id, "\n");
  AddText("scheduler", SchedulerConfigJson(c.scheduler));
  AddText("vocabulary", source.vocab_json);
  AddText("merges", source.merges_txt);
  AddTensors("unet", source.unet);
  AddTensors("vae", source.vae);
  AddTensors("text_encoder", source.text_encoder);
}

void Fingerprint::Add(const ClipSource& source) {
  AddText("clip", ClipConfigText(source.config));
  AddText("clip preprocessing", PreprocessingText(source.preprocessing));
  AddText("clip vocabulary", source.vocab_json);
  AddText("clip merges", source.merges_txt);
  AddTensors("clip", source.tensors);
}

void Fingerprint::Add(const SafetyCheckerSource& source) {
  AddText("safety_checker", ClipConfigText(source.config));
  AddText("safety_checker preprocessing", PreprocessingText(source.preprocessing));
  AddTensors("safety_checker", source.tensors);
}

std::string Fingerprint::Hex() const { return HexOf(HashText(lines_)); }

}  // namespace ip2p
