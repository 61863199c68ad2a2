#include "tests/common/checkpoint/file_builders.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace ip2p::testing {
namespace {

namespace fs = std::filesystem;

uint32_t Crc(const std::string& data) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

TensorMap FillTensors(const ShapeMap& shapes, uint32_t& counter) {
  TensorMap tensors;
  for (const auto& [name, shape] : shapes) {
    const size_t size = *ByteSize(DType::kFloat32, shape);
    auto data = std::make_shared<std::vector<float>>(size / sizeof(float));
    for (float& value : *data) value = static_cast<float>(++counter % 8192) / 8192 - 0.5f;
    tensors[name] = {DType::kFloat32, shape, std::as_bytes(std::span(*data)), data};
  }
  return tensors;
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "ip2p-checkpoint-XXXXXX").string();
  root_ = mkdtemp(name.data());
}
TempFolder::~TempFolder() { fs::remove_all(root_); }

std::string TempFolder::Write(const std::string& name, const std::string& contents) const {
  fs::create_directories((root_ / name).parent_path());
  std::ofstream(Path(name), std::ios::binary) << contents;
  return Path(name);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Safetensors(const std::string& header, const std::string& data) {
  return Little<uint64_t>(header.size()) + header + data;
}

std::string Zip(const std::vector<ZipMember>& members, bool zip64) {
  std::string body, directory;
  for (const ZipMember& m : members) {
    const auto offset =
        m.local_offset >= 0 ? static_cast<uint32_t>(m.local_offset) : static_cast<uint32_t>(body.size());
    const auto size = static_cast<uint32_t>(m.data.size());
    const uint32_t central_size = m.central_size >= 0 ? static_cast<uint32_t>(m.central_size) : size;
    const uint32_t local_size = m.local_size >= 0 ? static_cast<uint32_t>(m.local_size) : size;
    const std::string& central_name = m.central_name.empty() ? m.name : m.central_name;
    auto common = [&](uint32_t sizes, const std::string& name) {
      return Little<uint16_t>(20) + Little(m.flags) + Little(m.method) + Little<uint32_t>(0) +
             Little(Crc(m.data)) + Little(sizes) + Little(sizes) + Little(static_cast<uint16_t>(name.size()));
    };
    body += Little<uint32_t>(0x04034b50) + common(local_size, m.name);
    // Like torch: the extra field pads the data to a multiple of 64.
    const size_t data_at = body.size() + 2 + m.name.size() + 4;
    const auto pad = static_cast<uint16_t>((64 - data_at % 64) % 64);
    body += Little<uint16_t>(static_cast<uint16_t>(pad + 4)) + m.name + "FB" + Little(pad) +
            std::string(pad, 'Z');
    body += m.data;
    directory += Little<uint32_t>(0x02014b50) + Little<uint16_t>(20) + common(central_size, central_name) +
                 Little<uint16_t>(0) + Little<uint16_t>(0) + Little<uint16_t>(0) + Little<uint16_t>(0) +
                 Little<uint32_t>(0) + Little(offset) + central_name;
  }
  std::string end;
  const auto count = static_cast<uint16_t>(members.size());
  const auto at = static_cast<uint32_t>(body.size()), size = static_cast<uint32_t>(directory.size());
  if (zip64) {
    end += Little<uint32_t>(0x06064b50) + Little<uint64_t>(44) + Little<uint16_t>(45) + Little<uint16_t>(45) +
           Little<uint32_t>(0) + Little<uint32_t>(0) + Little<uint64_t>(count) + Little<uint64_t>(count) +
           Little<uint64_t>(size) + Little<uint64_t>(at);
    end += Little<uint32_t>(0x07064b50) + Little<uint32_t>(0) + Little<uint64_t>(at + size) +
           Little<uint32_t>(1);
  }
  end += Little<uint32_t>(0x06054b50) + Little<uint16_t>(0) + Little<uint16_t>(0) + Little(count) +
         Little(count) + Little(size) + Little(at) + Little<uint16_t>(0);
  return body + directory + end;
}

namespace pickle {

std::string Text(const std::string& text) { return "X" + Little(static_cast<uint32_t>(text.size())) + text; }
std::string Global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
std::string Int(int32_t value) { return "J" + Little(static_cast<uint32_t>(value)); }
std::string Long(int64_t value) { return "\x8a\x08" + Little(static_cast<uint64_t>(value)); }

std::string IntTuple(const std::vector<int64_t>& values) {
  std::string items;
  for (const int64_t value : values) items += Long(value);
  return "(" + items + "t";
}

std::string Rebuild(const Tensor& t) {
  const std::string id =
      "(" + Text("storage") + Global("torch", t.type) + Text(t.key) + Text("cpu") + Long(t.elements) + "tQ";
  const std::string hooks = Global("collections", "OrderedDict") + ")R";
  return Global("torch._utils", "_rebuild_tensor_v2") + "(" + id + Long(t.offset) + IntTuple(t.shape) +
         IntTuple(t.stride) + "\x89" + hooks + "tR";
}

std::string Dictionary(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string body;
  for (const auto& [name, value] : items) body += Text(name) + value;
  return "\x80\x02}(" + body + "u.";
}

}  // namespace pickle

std::string TorchZip(const std::string& pickle,
                     const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<ZipMember> members = {{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
  for (const auto& [key, data] : storages) members.push_back({"archive/data/" + key, data});
  members.push_back({"archive/version", "3\n"});
  return Zip(members);
}

ModelConfig SmallConfig() {
  ModelConfig c;
  c.unet.block_out_channels = {32, 64};
  c.unet.attention = {true, false};
  c.unet.layers_per_block = {1, 1};
  c.unet.attention_heads = {8, 8};
  c.unet.cross_attention_dim = 32;
  c.vae.block_out_channels = {32, 32};
  c.vae.layers_per_block = 1;
  c.text_encoder = {.vocab_size = 4,
                    .hidden_size = 32,
                    .intermediate_size = 64,
                    .num_layers = 2,
                    .num_heads = 1,
                    .max_positions = 8,
                    .bos_token_id = 2,
                    .eos_token_id = 3,
                    .pad_token_id = 3};
  return c;
}

ModelConfig SmallSd2Config() {
  ModelConfig c = SmallConfig();
  c.unet.block_out_channels = {64, 128};
  c.unet.attention_heads = {1, 2};
  c.unet.use_linear_projection = true;
  c.text_encoder.quick_gelu = false;
  c.text_encoder.pad_token_id = 0;
  c.scheduler.prediction = PredictionType::kVPrediction;
  return c;
}

ModelSource MakeModel(const ModelConfig& config) {
  ModelSource source;
  source.config = config;
  uint32_t counter = 0;
  source.unet = FillTensors(UNetTensors(config.unet), counter);
  source.vae = FillTensors(VaeTensors(config.vae), counter);
  source.text_encoder = FillTensors(TextEncoderTensors(config.text_encoder), counter);
  source.vocab_json = R"({"!": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3})";
  source.merges_txt = "#version: 0.2\n";
  source.layout = "diffusers";
  return source;
}

TensorMap MakeTensors(const ShapeMap& shapes) {
  uint32_t counter = 0;
  return FillTensors(shapes, counter);
}

bool SameTensors(const TensorMap& a, const TensorMap& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.dtype == y.second.dtype && x.second.shape == y.second.shape &&
           std::ranges::equal(x.second.data, y.second.data);
  });
}

}  // namespace ip2p::testing
