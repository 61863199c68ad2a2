// The chunks of a PNG file, without decoding any. Not for callers.
#pragma once

#include <string_view>
#include <vector>

namespace ip2p::internal {

struct PngChunk {
  std::string_view name;  // 4 letters
  std::string_view data;
};

struct PngChunks {
  std::vector<PngChunk> chunks;  // in order, up to IEND
  bool complete = false;         // IEND was reached and every chunk lies within the file
};

// `bytes` starts with the PNG signature. Names and checksums are not judged. Costs 32 bytes a chunk.
PngChunks ListPngChunks(std::string_view bytes);

}  // namespace ip2p::internal
