// libFuzzer: a tar archive from anyone, ustar, pax and GNU. What is read is written again and reads back as
// it was.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "common/storage/tar.h"

namespace {

constexpr size_t kLimit = 4096;

void Check(bool condition) {
  if (!condition) std::abort();
}

using Members = std::vector<std::pair<std::string, std::string>>;

// All members up to the end or the first fault, which is always the archive's.
Members Read(const char* data, size_t size, bool& whole) {
  const int fd = memfd_create("archive", MFD_CLOEXEC);
  Check(fd >= 0 && write(fd, data, size) == static_cast<ssize_t>(size));
  ip2p::TarReader reader(fd, "a.tar", kLimit);
  Members members;
  ip2p::TarMember member;
  size_t bytes = 0;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(member);
    whole = more.ok();
    if (!more.ok()) Check(absl::IsDataLoss(more.status()));
    if (!more.ok() || !*more) break;
    Check(member.contents.size() <= kLimit);
    Check(!member.too_large || member.contents.empty());
    bytes += member.contents.size();
    members.emplace_back(member.name, member.contents);
  }
  Check(bytes <= size && reader.passed_over() >= 0);
  close(fd);
  return members;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bool whole = false;
  Members members = Read(reinterpret_cast<const char*>(data), size, whole);
  std::erase_if(members, [](const auto& member) { return member.first.find('\0') != std::string::npos; });
  std::string archive;
  ip2p::TarWriter writer([&archive](std::string_view bytes) {
    archive += bytes;
    return absl::OkStatus();
  });
  for (const auto& [name, contents] : members) Check(writer.Add(name, contents).ok());
  Check(writer.Finish().ok() && writer.bytes() == static_cast<int64_t>(archive.size()));
  Check(Read(archive.data(), archive.size(), whole) == members && whole);
  return 0;
}
