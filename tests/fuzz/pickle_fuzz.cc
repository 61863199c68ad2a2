// libFuzzer: the pickle interpreter on bytes from anyone, alone and as data.pkl of an archive with two
// storages, so that shapes, strides and offsets are followed too.
#include <zlib.h>

#include <string>
#include <vector>

#include "common/checkpoint/ckpt.h"
#include "common/checkpoint/pickle.h"
#include "common/checkpoint/pickle_globals.h"
#include "tests/fuzz/checkpoint_fuzz.h"

namespace {

void Put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

// A stored zip with right checksums, in as few lines as it takes.
std::string Archive(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string body, directory;
  for (const auto& [name, data] : entries) {
    std::string common;
    Put(common, 20, 2), Put(common, 0, 4), Put(common, 0, 4);
    Put(common, crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()), 4);
    Put(common, data.size(), 4), Put(common, data.size(), 4), Put(common, name.size(), 2), Put(common, 0, 2);
    Put(directory, 0x02014b50, 4), Put(directory, 20, 2);
    directory += common;
    Put(directory, 0, 8), Put(directory, 0, 2), Put(directory, body.size(), 4);
    directory += name;
    Put(body, 0x04034b50, 4);
    body += common + name + data;
  }
  const size_t at = body.size();
  body += directory;
  Put(body, 0x06054b50, 4), Put(body, 0, 4), Put(body, entries.size(), 2), Put(body, entries.size(), 2);
  Put(body, directory.size(), 4), Put(body, at, 4), Put(body, 0, 2);
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ip2p::Check;
  const auto document = ip2p::ReadPickle(ip2p::FuzzBytes(data, size), "f");
  if (!document.ok()) {
    ip2p::CheckRefusal(document.status());
    return 0;
  }
  Check(document->root < document->nodes.size());
  for (const ip2p::PickleNode& node : document->nodes) {
    for (const ip2p::NodeId item : node.items) Check(item < document->nodes.size());
    if (node.kind == ip2p::PickleNode::Kind::kGlobal) {
      Check(static_cast<uint64_t>(node.number) < ip2p::PickleGlobals().size());
    }
    if (node.kind == ip2p::PickleNode::Kind::kTensor) Check(node.items.size() == 3);
  }
  const std::string pickle(reinterpret_cast<const char*>(data), size);
  const std::string archive = Archive(
      {{"a/data.pkl", pickle}, {"a/data/0", std::string(24, 'x')}, {"a/data/1", std::string(48, 'y')}});
  const auto file = ip2p::ParseTorchFile(std::as_bytes(std::span(archive)), nullptr, "f");
  if (file.ok()) {
    ip2p::CheckTensorMap(file->tensors);
  } else {
    ip2p::CheckRefusal(file.status());
  }
  return 0;
}
