// Numbers of a header are octal texts; names over 100 bytes, and sizes over 8 GiB, stand in a pax header
// before it.
#include "common/storage/tar.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/storage/temp_file.h"

namespace ip2p {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kMaxName = 100;
constexpr int64_t kMaxOctalSize = 8589934591;  // 11 octal digits
constexpr size_t kMaxExtension = 1 << 20;      // bytes of a pax or GNU header

// A field of the header: where it starts, and its length.
struct Field {
  size_t at;
  size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kTime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr size_t kType = 156;
constexpr Field kMagic{257, 8};
constexpr Field kPrefix{345, 155};

size_t Padding(int64_t size) { return (kBlock - static_cast<size_t>(size) % kBlock) % kBlock; }

void PutOctal(std::string& header, Field field, int64_t value) {
  const std::string digits = absl::StrFormat("%0*o", static_cast<int>(field.size) - 1, value);
  header.replace(field.at, digits.size(), digits);
}

// The checksum counts its own field as spaces.
int64_t ChecksumOf(std::string_view header) {
  int64_t sum = 0;
  for (size_t i = 0; i < header.size(); ++i) {
    const bool own = i >= kChecksum.at && i < kChecksum.at + kChecksum.size;
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return sum;
}

std::string TextOf(std::string_view header, Field field) {
  const std::string_view text = header.substr(field.at, field.size);
  return std::string(text.substr(0, text.find('\0')));
}

// Octal, or base 256 as GNU writes large ones.
std::optional<int64_t> NumberOf(std::string_view header, Field field) {
  std::string_view text = header.substr(field.at, field.size);
  int64_t value = 0;
  if ((static_cast<unsigned char>(text[0]) & 0x80U) != 0) {
    for (size_t i = 0; i < text.size(); ++i) {
      const int64_t byte = static_cast<unsigned char>(text[i]) & (i == 0 ? 0x7fU : 0xffU);
      if (value > (INT64_MAX >> 8)) return std::nullopt;
      value = value * 256 + byte;
    }
    return value;
  }
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  for (const char c : text) {
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + (c - '0');
  }
  return value;
}

std::string PaxRecord(std::string_view key, std::string_view value) {
  // The length counts its own digits.
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (absl::StrCat(length).size() + rest != length) length = absl::StrCat(length).size() + rest;
  return absl::StrCat(length, " ", absl::string_view(key.data(), key.size()), "=",
                      absl::string_view(value.data(), value.size()), "\n");
}

struct PaxFields {
  std::optional<std::string> path;
  std::optional<int64_t> size;
};

bool ParsePax(std::string_view text, PaxFields& fields) {
  while (!text.empty()) {
    const size_t space = text.find(' ');
    int64_t length = 0;
    if (space == std::string_view::npos ||
        !absl::SimpleAtoi(absl::string_view(text.data(), space), &length) ||
        length <= static_cast<int64_t>(space) + 1 || length > static_cast<int64_t>(text.size())) {
      return false;
    }
    const std::string_view record = text.substr(space + 1, static_cast<size_t>(length) - space - 1);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos || record.back() != '\n') return false;
    const std::string_view value = record.substr(equals + 1, record.size() - equals - 2);
    if (record.substr(0, equals) == "path") fields.path = value;
    if (record.substr(0, equals) == "size") {
      int64_t size = 0;
      if (!absl::SimpleAtoi(absl::string_view(value.data(), value.size()), &size) || size < 0) return false;
      fields.size = size;
    }
    text.remove_prefix(static_cast<size_t>(length));
  }
  return true;
}

}  // namespace

absl::Status TarWriter::Put(std::string_view bytes) {
  bytes_ += static_cast<int64_t>(bytes.size());
  return write_(bytes);
}

absl::Status TarWriter::PutMember(const std::string& name, char type, std::string_view contents) {
  std::string header(kBlock, '\0');
  header.replace(kName.at, std::min(name.size(), kMaxName), name, 0, kMaxName);
  PutOctal(header, kMode, 0644);
  PutOctal(header, kUid, 0);
  PutOctal(header, kGid, 0);
  PutOctal(header, kSize, static_cast<int64_t>(contents.size()));
  PutOctal(header, kTime, 0);
  header[kType] = type;
  header.replace(kMagic.at, kMagic.size, std::string_view("ustar\00000", kMagic.size));
  header.replace(kChecksum.at, kChecksum.size,
                 absl::StrFormat("%06o", ChecksumOf(header)) + std::string("\0 ", 2));
  IP2P_RETURN_IF_ERROR(Put(header));
  IP2P_RETURN_IF_ERROR(Put(contents));
  return Put(std::string(Padding(static_cast<int64_t>(contents.size())), '\0'));
}

absl::Status TarWriter::Add(const std::string& name, std::string_view contents) {
  if (static_cast<int64_t>(contents.size()) > kMaxOctalSize) {
    return absl::InvalidArgumentError("a member of an archive is over 8 GiB");
  }
  if (name.size() > kMaxName) IP2P_RETURN_IF_ERROR(PutMember("pax", 'x', PaxRecord("path", name)));
  return PutMember(name, '0', contents);
}

absl::Status TarWriter::Finish() { return Put(std::string(2 * kBlock, '\0')); }

int64_t TarWriter::BytesOf(const std::string& name, int64_t contents) {
  const auto whole = [](int64_t size) {
    return static_cast<int64_t>(kBlock) + size + static_cast<int64_t>(Padding(size));
  };
  const int64_t pax =
      name.size() > kMaxName ? whole(static_cast<int64_t>(PaxRecord("path", name).size())) : 0;
  return pax + whole(contents);
}

absl::Status TarReader::Damaged(std::string_view why) const {
  return absl::DataLossError(absl::StrCat(name_, " is damaged at byte ", offset_, ": ", std::string(why)));
}

absl::StatusOr<bool> TarReader::ReadBlock(std::string& block) {
  block.resize(kBlock);
  struct stat facts;
  // An archive without its two empty blocks ends at its last member, as tools accept.
  if (::fstat(fd_, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size == offset_) return false;
  const absl::Status read = ReadFully(fd_, offset_, std::as_writable_bytes(std::span(block)));
  if (absl::IsOutOfRange(read)) return Damaged("it ends within a header");
  IP2P_RETURN_IF_ERROR(read);
  offset_ += static_cast<int64_t>(kBlock);
  return std::any_of(block.begin(), block.end(), [](char c) { return c != '\0'; });
}

absl::Status TarReader::ReadContents(int64_t size, std::string& contents) {
  contents.resize(static_cast<size_t>(size));
  const absl::Status read = ReadFully(fd_, offset_, std::as_writable_bytes(std::span(contents)));
  if (absl::IsOutOfRange(read)) return Damaged("it ends within a member");
  IP2P_RETURN_IF_ERROR(read);
  return Skip(size);
}

absl::Status TarReader::Skip(int64_t bytes) {
  constexpr int64_t kMost = INT64_MAX - static_cast<int64_t>(kBlock);
  if (bytes > kMost || offset_ > kMost - bytes) return Damaged("a member's size is absurd");
  offset_ += bytes + static_cast<int64_t>(Padding(bytes));
  return absl::OkStatus();
}

absl::StatusOr<bool> TarReader::Next(TarMember& member, bool with_contents) {
  PaxFields pax;
  std::optional<std::string> long_name;
  std::string header;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, ReadBlock(header));
    if (!more) return false;
    const std::optional<int64_t> checksum = NumberOf(header, kChecksum);
    if (checksum != ChecksumOf(header)) return Damaged("a header's checksum is wrong");
    const std::optional<int64_t> size = pax.size.has_value() ? pax.size : NumberOf(header, kSize);
    if (!size.has_value() || *size < 0) return Damaged("a member's size is no number");
    const char type = header[kType];
    if (type == 'x' || type == 'g' || type == 'L') {
      if (*size > static_cast<int64_t>(kMaxExtension)) return Damaged("an extended header is absurdly long");
      std::string text;
      IP2P_RETURN_IF_ERROR(ReadContents(*size, text));
      PaxFields ignored;  // of all members ('g'): none of what is read here
      if (type != 'L' && !ParsePax(text, type == 'x' ? pax : ignored)) return Damaged("a pax header");
      if (type == 'L') long_name = text.substr(0, text.find('\0'));
      continue;
    }
    if (type != '0' && type != '\0' && type != '7') {
      if (type != '5') ++passed_over_;
      // Links and devices have no contents, whatever their size says.
      if (type < '1' || type > '6') IP2P_RETURN_IF_ERROR(Skip(*size));
      pax = {};
      long_name.reset();
      continue;
    }
    const std::string prefix = TextOf(header, kPrefix);
    const bool ustar = header.substr(kMagic.at, 6) == std::string_view("ustar\0", 6);
    member.name = TextOf(header, kName);
    if (ustar && !prefix.empty()) member.name = absl::StrCat(prefix, "/", member.name);
    if (long_name.has_value()) member.name = *long_name;
    if (pax.path.has_value()) member.name = *pax.path;
    member.offset = offset_;
    member.size = *size;
    member.contents.clear();
    member.too_large = with_contents && *size > static_cast<int64_t>(max_member_bytes_);
    const bool read = with_contents && !member.too_large;
    IP2P_RETURN_IF_ERROR(read ? ReadContents(*size, member.contents) : Skip(*size));
    return true;
  }
}

}  // namespace ip2p
