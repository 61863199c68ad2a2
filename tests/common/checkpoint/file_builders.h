// Builders of checkpoint bytes, right ones and wrong ones: safetensors, zip, pickle, and whole models in
// memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/model_source.h"

namespace ip2p::testing {

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  std::string Path(const std::string& name) const { return (root_ / name).string(); }
  // Writes a file and gives its path.
  std::string Write(const std::string& name, const std::string& contents) const;
  const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path root_;
};

std::string ReadAll(const std::string& path);

inline std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

template <typename T>
std::string Little(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  return bytes;
}

// Header length, header, data.
std::string Safetensors(const std::string& header, const std::string& data);

// A zip whose headers can be made to lie.
struct ZipMember {
  std::string name;
  std::string data;
  uint16_t flags = 0;
  uint16_t method = 0;
  std::string central_name = {};  // empty: the same
  int64_t central_size = -1;      // -1: the true one
  int64_t local_size = -1;
  int64_t local_offset = -1;
};
// `zip64` writes the larger records, as torch does.
std::string Zip(const std::vector<ZipMember>& members, bool zip64 = true);

// Pickle opcodes, protocol 2.
namespace pickle {
std::string Text(const std::string& text);
std::string Global(const std::string& module, const std::string& name);
std::string Int(int32_t value);
std::string Long(int64_t value);
std::string IntTuple(const std::vector<int64_t>& values);
// torch._utils._rebuild_tensor_v2 of a storage.
struct Tensor {
  std::string key = "0";
  std::string type = "FloatStorage";
  int64_t elements = 6;
  int64_t offset = 0;
  std::vector<int64_t> shape = {2, 3};
  std::vector<int64_t> stride = {3, 1};
};
std::string Rebuild(const Tensor& tensor);
// {name: value...} as a whole document.
std::string Dictionary(const std::vector<std::pair<std::string, std::string>>& items);
}  // namespace pickle

// A torch.save archive.
std::string TorchZip(const std::string& pickle,
                     const std::vector<std::pair<std::string, std::string>>& storages);

// A small SD 1.x with 32 channels, and a small SD 2.x.
ModelConfig SmallConfig();
ModelConfig SmallSd2Config();
// A model of that architecture with tensors that all differ, and a vocabulary of a few tokens.
ModelSource MakeModel(const ModelConfig& config);
// Tensors of these shapes that all differ.
TensorMap MakeTensors(const ShapeMap& shapes);
// Equal names, types, shapes and bytes.
bool SameTensors(const TensorMap& a, const TensorMap& b);

}  // namespace ip2p::testing
