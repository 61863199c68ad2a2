// Little-endian reads that cannot leave the buffer. A failed read returns false and leaves the position
// alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace ip2p {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  // T is an unsigned integer.
  template <typename T>
  bool Read(T& value) {
    if (remaining() < sizeof(T)) return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(T); ++i) sum |= std::to_integer<uint64_t>(bytes_[position_ + i]) << (8 * i);
    value = static_cast<T>(sum);
    position_ += sizeof(T);
    return true;
  }

  bool Skip(uint64_t count) {
    if (count > remaining()) return false;
    position_ += count;
    return true;
  }

  bool Text(uint64_t count, std::string_view& text) {
    if (count > remaining()) return false;
    text = {reinterpret_cast<const char*>(bytes_.data()) + position_, static_cast<size_t>(count)};
    position_ += count;
    return true;
  }

  // Up to a newline, which is taken but not given.
  bool Line(std::string_view& line) {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_, remaining());
    const size_t end = rest.find('\n');
    if (end == rest.npos) return false;
    line = rest.substr(0, end);
    position_ += end + 1;
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace ip2p
