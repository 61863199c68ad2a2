#include "common/checkpoint/zip.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/byte_reader.h"
#include "common/checkpoint/text_quote.h"

namespace ip2p {
namespace {

constexpr size_t kEndSize = 22;
constexpr size_t kLocatorSize = 20;
constexpr size_t kEnd64Size = 56;
constexpr size_t kMaxEntries = 1 << 18;
constexpr size_t kMaxName = 1024;
constexpr uint32_t kIn64 = 0xffffffff;  // "see the zip64 record"

constexpr uint16_t kEncrypted = 1 << 0;
constexpr uint16_t kDescriptorFollows = 1 << 3;  // the local header may leave sizes 0
constexpr uint16_t kUtf8 = 1 << 11;

template <typename... Parts>
absl::Status Damaged(const std::string& label, const Parts&... parts) {
  return absl::DataLossError(absl::StrCat(label, " is a damaged zip archive: ", parts...));
}

template <typename... Parts>
absl::Status Refused(const std::string& label, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(label, ": ", parts...));
}

struct Directory {
  uint64_t entries = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t end = 0;  // where the records after it begin
};

// What central and local header both say about an entry.
struct Header {
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t compressed = 0;
  uint64_t size = 0;
  uint64_t local_offset = 0;
  std::string_view name;
};

absl::StatusOr<Directory> FindDirectory(std::span<const std::byte> bytes, const std::string& label) {
  if (bytes.size() < kEndSize) return Damaged(label, "it has ", bytes.size(), " bytes");
  Directory directory;
  directory.end = bytes.size() - kEndSize;
  ByteReader end(bytes.subspan(directory.end));
  uint32_t signature = 0, size = 0, offset = 0;
  uint16_t disk = 0, first_disk = 0, here = 0, total = 0, comment = 0;
  end.Read(signature), end.Read(disk), end.Read(first_disk), end.Read(here), end.Read(total);
  end.Read(size), end.Read(offset), end.Read(comment);
  if (signature != 0x06054b50 || comment != 0) return Damaged(label, "no end record at the end");
  directory.entries = total;
  directory.offset = offset;
  directory.size = size;
  bool split = disk != 0 || first_disk != 0 || here != total;

  uint32_t locator_signature = 0;
  if (directory.end >= kLocatorSize)
    ByteReader(bytes.subspan(directory.end - kLocatorSize)).Read(locator_signature);
  if (locator_signature == 0x07064b50) {
    ByteReader locator(bytes.subspan(directory.end - kLocatorSize));
    uint32_t disk64 = 0, disks = 0;
    uint64_t at = 0;
    locator.Read(locator_signature), locator.Read(disk64), locator.Read(at), locator.Read(disks);
    if (directory.end < kLocatorSize + kEnd64Size || at != directory.end - kLocatorSize - kEnd64Size) {
      return Damaged(label, "the zip64 end record is not before its locator");
    }
    ByteReader end64(bytes.subspan(at));
    uint32_t signature64 = 0, disk_a = 0, disk_b = 0;
    uint64_t record_size = 0, here64 = 0, total64 = 0, size64 = 0, offset64 = 0;
    uint16_t made_by = 0, needed = 0;
    end64.Read(signature64), end64.Read(record_size), end64.Read(made_by), end64.Read(needed);
    end64.Read(disk_a), end64.Read(disk_b), end64.Read(here64), end64.Read(total64), end64.Read(size64);
    end64.Read(offset64);
    if (signature64 != 0x06064b50 || record_size != kEnd64Size - 12) {
      return Damaged(label, "the zip64 end record is not one");
    }
    if ((total != 0xffff && total != total64) || (size != kIn64 && size != size64) ||
        (offset != kIn64 && offset != offset64)) {
      return Damaged(label, "the two end records disagree");
    }
    split = disk64 != 0 || disks > 1 || disk_a != 0 || disk_b != 0 || here64 != total64 ||
            (here != 0xffff && here != total);
    directory = {total64, offset64, size64, at};
  }
  if (split) return Refused(label, "the archive is split over several files; wants one");
  if (directory.offset > directory.end || directory.size != directory.end - directory.offset) {
    return Damaged(label, "the central directory is not where the end record says");
  }
  if (directory.entries > kMaxEntries) {
    return Refused(label, "the archive has ", directory.entries, " entries; wants at most ", kMaxEntries);
  }
  return directory;
}

// Replaces 0xffffffff fields by those of the zip64 extra field, which has them in this order. `at` may be
// null.
bool ApplyZip64(std::string_view extra, uint64_t& size, uint64_t& compressed, uint64_t* at) {
  ByteReader reader(std::as_bytes(std::span(extra)));
  while (reader.remaining() >= 4) {
    uint16_t id = 0, length = 0;
    reader.Read(id), reader.Read(length);
    std::string_view body;
    if (!reader.Text(length, body)) return false;
    if (id != 1) continue;
    ByteReader fields(std::as_bytes(std::span(body)));
    for (uint64_t* field : {&size, &compressed, at}) {
      if (field != nullptr && *field == kIn64 && !fields.Read(*field)) return false;
    }
    return true;
  }
  return true;
}

// `central` says which of the two forms is read; both begin at a signature.
bool ReadHeader(ByteReader& reader, bool central, Header& header) {
  uint32_t signature = 0, compressed = 0, size = 0, attributes = 0, local = 0, time = 0;
  uint16_t made_by = 0, needed = 0, name = 0, extra = 0, comment = 0, disk = 0, internal = 0;
  if (!reader.Read(signature) || signature != (central ? 0x02014b50u : 0x04034b50u)) return false;
  if (central && !reader.Read(made_by)) return false;
  if (!reader.Read(needed) || !reader.Read(header.flags) || !reader.Read(header.method) ||
      !reader.Read(time) || !reader.Read(header.crc) || !reader.Read(compressed) || !reader.Read(size) ||
      !reader.Read(name) || !reader.Read(extra)) {
    return false;
  }
  if (central && (!reader.Read(comment) || !reader.Read(disk) || !reader.Read(internal) ||
                  !reader.Read(attributes) || !reader.Read(local) || disk != 0)) {
    return false;
  }
  std::string_view extra_text, comment_text;
  if (!reader.Text(name, header.name) || !reader.Text(extra, extra_text) ||
      !reader.Text(comment, comment_text)) {
    return false;
  }
  header.compressed = compressed;
  header.size = size;
  header.local_offset = local;
  return ApplyZip64(extra_text, header.size, header.compressed, central ? &header.local_offset : nullptr);
}

bool IsSafeName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name.front() == '/') return false;
  if (name.find_first_of(std::string_view("\\\0:", 3)) != name.npos) return false;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    if (name.substr(begin, end - begin) == "..") return false;
    begin = end + 1;
  }
  return true;
}

absl::Status CheckCentral(const Header& header, const std::string& label) {
  const std::string name = Quoted(header.name);
  if (!IsSafeName(header.name)) return Refused(label, "the entry name ", name, " leads out of the archive");
  if (header.flags & ~(kDescriptorFollows | kUtf8 | 0x6)) {  // bits 1 and 2 are hints for compressors
    return Refused(label, "the entry ", name,
                   header.flags & kEncrypted ? " is encrypted" : " has flags that are not understood",
                   "; wants plain stored entries");
  }
  if (header.method != 0) {
    return Refused(label, "the entry ", name, " is compressed (method ", header.method,
                   "); wants stored entries");
  }
  if (header.compressed != header.size) return Damaged(label, name, " is stored but its two sizes differ");
  return absl::OkStatus();
}

bool LocalAgrees(const Header& central, const Header& local) {
  const bool later = local.flags & kDescriptorFollows;
  auto same = [later](uint64_t a, uint64_t b) { return a == b || (later && b == 0); };
  return central.name == local.name && central.flags == local.flags && central.method == local.method &&
         same(central.size, local.size) && same(central.compressed, local.compressed) &&
         same(central.crc, local.crc);
}

}  // namespace

absl::StatusOr<std::vector<ZipEntry>> ReadStoredZip(std::span<const std::byte> bytes,
                                                    const std::string& label) {
  IP2P_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes, label));
  ByteReader reader(bytes.subspan(directory.offset, directory.size));
  std::vector<ZipEntry> entries;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  std::set<std::string_view> names;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    Header central, local;
    if (!ReadHeader(reader, true, central))
      return Damaged(label, "entry ", i, " of the central directory is torn");
    IP2P_RETURN_IF_ERROR(CheckCentral(central, label));
    const std::string name = Quoted(central.name);
    if (!names.insert(central.name).second) return Refused(label, "the entry ", name, " is there twice");
    if (central.local_offset > directory.offset) return Damaged(label, name, " begins behind the directory");
    const std::span<const std::byte> rest =
        bytes.subspan(central.local_offset, directory.offset - central.local_offset);
    ByteReader local_reader(rest);
    if (!ReadHeader(local_reader, false, local)) return Damaged(label, name, " has no local header");
    if (!LocalAgrees(central, local)) {
      return Damaged(label, "the central directory and the local header of ", name, " disagree");
    }
    if (central.size > local_reader.remaining()) {
      return Damaged(label, name, " is ", central.size, " bytes but only ", local_reader.remaining(),
                     " follow");
    }
    const size_t begin = local_reader.position();
    ranges.emplace_back(central.local_offset, central.local_offset + begin + central.size);
    entries.push_back({std::string(central.name), rest.subspan(begin, central.size), central.crc});
  }
  if (reader.remaining() != 0) return Damaged(label, "the central directory has more than it counts");
  std::ranges::sort(ranges);
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) return Damaged(label, "two entries overlap");
  }
  return entries;
}

}  // namespace ip2p
