#include "common/dataset/lease_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <span>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/storage/io_error.h"
#include "common/storage/new_file.h"
#include "common/storage/read_file.h"
#include "common/storage/temp_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = ".lease-";
constexpr size_t kBytes = 512;  // written by one call, so that nobody reads a part

std::string Pathed(const std::string& dataset, const std::string& name) {
  return absl::StrCat(dataset, "/", name);
}

}  // namespace

std::string LeaseName(Share share) { return absl::StrFormat("%s%07d-%07d", kPrefix, share.begin, share.end); }

std::optional<Share> ShareOfLease(const std::string& name) {
  absl::string_view numbers = name;
  if (!absl::ConsumePrefix(&numbers, kPrefix)) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(numbers, '-');
  Share share;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &share.begin) ||
      !absl::SimpleAtoi(parts[1], &share.end)) {
    return std::nullopt;
  }
  return share;
}

Lease ParseLease(std::string_view text) {
  const absl::StatusOr<nlohmann::json> object = ParseJsonObject(text);
  if (!object.ok()) return {};
  Lease lease;
  lease.host = TextOr(*object, "host").value_or("");
  lease.pid = NumberOr(*object, "pid");
  lease.token = TextOr(*object, "token").value_or("");
  lease.expires = absl::FromUnixMillis(NumberOr(*object, "expires_unix_ms"));
  return lease;
}

std::string LeaseText(const Lease& lease) {
  const nlohmann::ordered_json object = {{"host", lease.host},
                                         {"pid", lease.pid},
                                         {"token", lease.token},
                                         {"expires_unix_ms", absl::ToUnixMillis(lease.expires)}};
  std::string text = object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize(std::max(kBytes - 1, text.size()), ' ');
  return text + '\n';
}

absl::StatusOr<std::vector<FoundLease>> FindLeases(const std::string& dataset, Share share) {
  std::vector<FoundLease> leases;
  std::error_code error;
  for (fs::directory_iterator it(dataset, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::optional<Share> found = ShareOfLease(name);
    if (!found.has_value() || found->begin >= share.end || share.begin >= found->end) continue;
    IP2P_ASSIGN_OR_RETURN(const std::optional<Lease> lease, ReadLease(dataset, name));
    if (lease.has_value()) leases.push_back({name, *found, *lease});
  }
  if (error) return IoError(error.value(), "the dataset cannot be listed");
  std::sort(leases.begin(), leases.end(),
            [](const FoundLease& a, const FoundLease& b) { return a.name < b.name; });
  return leases;
}

absl::StatusOr<std::optional<Lease>> ReadLease(const std::string& dataset, const std::string& name) {
  const absl::StatusOr<std::string> text =
      ReadFile(Pathed(dataset, name), "a lease", /*max_bytes=*/kBytes * 2);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (absl::IsInvalidArgument(text.status())) return Lease{};  // too long to be one
  if (!text.ok()) return text.status();
  return ParseLease(*text);
}

absl::Status WriteLease(const std::string& dataset, const std::string& name, const Lease& lease) {
  const std::string text = LeaseText(lease);
  const int fd = ::open(Pathed(dataset, name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return IoError(errno, "a lease cannot be written");
  const absl::Cleanup close = [fd] { ::close(fd); };
  IP2P_RETURN_IF_ERROR(WriteFully(fd, 0, std::as_bytes(std::span(text))));
  return ::fsync(fd) == 0 ? absl::OkStatus() : IoError(errno, "a lease cannot be synced");
}

absl::StatusOr<bool> CreateLease(const std::string& dataset, const std::string& name, const Lease& lease,
                                 const std::string& temporary) {
  const std::string path = Pathed(dataset, temporary);
  const absl::Cleanup remove = [&path] { ::unlink(path.c_str()); };
  IP2P_RETURN_IF_ERROR(WriteLease(dataset, temporary, lease));
  if (RenameNew(path, Pathed(dataset, name)) == 0) return true;
  if (errno == EEXIST || errno == ENOENT) return false;  // the owner removed our temporary file as stale
  return IoError(errno, "a lease cannot be renamed into place");
}

absl::StatusOr<bool> RemoveLease(const std::string& dataset, const FoundLease& found,
                                 const std::string& temporary) {
  const std::string path = Pathed(dataset, temporary);
  if (::rename(Pathed(dataset, found.name).c_str(), path.c_str()) != 0) {
    if (errno == ENOENT) return false;
    return IoError(errno, "a lease that ran out cannot be removed");
  }
  const absl::Cleanup remove = [&path] { ::unlink(path.c_str()); };
  IP2P_ASSIGN_OR_RETURN(const std::optional<Lease> taken, ReadLease(dataset, temporary));
  if (taken == found.lease) return true;
  // Another starter was faster, and this is its new one: back, unless a third one's is there.
  if (RenameNew(path, Pathed(dataset, found.name)) != 0 && errno != EEXIST && errno != ENOENT) {
    return IoError(errno, "a lease cannot be put back");
  }
  return false;
}

}  // namespace ip2p
