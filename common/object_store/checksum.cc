#include "common/object_store/checksum.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

std::string BigEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>((value >> (8 * i)) & 255));
  return absl::Base64Escape(text);
}

absl::Status Compare(const char* name, const std::string& found, const std::string& wanted) {
  if (found == wanted) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the bytes that came have the ", name, " ", found, "; wants ", wanted));
}

}  // namespace

std::string ChecksumText(uint32_t value) { return BigEndian(value, 4); }
std::string ChecksumText(uint64_t value) { return BigEndian(value, 8); }
std::string Base64OfHex(std::string_view hex) {
  return absl::Base64Escape(absl::HexStringToBytes({hex.data(), hex.size()}));
}

void ChecksumVerifier::Update(std::string_view bytes) {
  if (!wanted_.sha256.empty()) {
    sha256_.Update(bytes);
  } else if (!wanted_.crc64nvme.empty()) {
    crc64nvme_.Update(bytes);
  } else if (!wanted_.crc32c.empty()) {
    crc32c_.Update(bytes);
  } else if (!wanted_.crc32.empty()) {
    crc32_.Update(bytes);
  }
}

absl::Status ChecksumVerifier::Finish() {
  if (!wanted_.sha256.empty()) return Compare("SHA-256", sha256_.Finish(), wanted_.sha256);
  if (!wanted_.crc64nvme.empty()) {
    return Compare("CRC-64/NVME", ChecksumText(crc64nvme_.value()), wanted_.crc64nvme);
  }
  if (!wanted_.crc32c.empty()) return Compare("CRC-32C", ChecksumText(crc32c_.value()), wanted_.crc32c);
  if (!wanted_.crc32.empty()) return Compare("CRC-32", ChecksumText(crc32_.value()), wanted_.crc32);
  return absl::OkStatus();
}

}  // namespace ip2p
