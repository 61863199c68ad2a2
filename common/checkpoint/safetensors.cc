#include "common/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/safetensors_header.h"
#include "common/checkpoint/tensor_copy.h"
#include "common/checkpoint/text_quote.h"
#include "common/storage/atomic_file.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // the library's own limit

template <typename... Parts>
absl::Status Damaged(const std::string& name, const Parts&... parts) {
  return absl::DataLossError(absl::StrCat(name, " is damaged: ", parts...));
}

// Every byte of the data part belongs to exactly one tensor.
absl::Status CheckLayout(const SafetensorsHeader& header, uint64_t data_size, const std::string& name) {
  std::vector<const std::pair<const std::string, SafetensorsEntry>*> order;
  for (const auto& entry : header.entries) order.push_back(&entry);
  std::ranges::stable_sort(order, {},
                           [](const auto* e) { return std::pair(e->second.begin, e->second.end); });
  uint64_t reached = 0;
  for (const auto* item : order) {
    const auto& [key, entry] = *item;
    if (entry.begin > entry.end || entry.end > data_size) {
      return Damaged(name, Quoted(key), " lies at ", entry.begin, "..", entry.end,
                     "; wants a range within 0..", data_size);
    }
    const std::optional<size_t> size = ByteSize(entry.dtype, entry.shape);
    if (!size.has_value() || *size != entry.end - entry.begin) {
      return Damaged(name, Quoted(key), " is ", DTypeName(entry.dtype), " ", ShapeText(entry.shape), " in ",
                     entry.end - entry.begin, " bytes; wants ",
                     size.has_value() ? absl::StrCat(*size) : "fewer elements");
    }
    if (entry.begin < reached) return Damaged(name, Quoted(key), " overlaps the tensor before it");
    if (entry.begin > reached)
      return Damaged(name, "a hole of ", entry.begin - reached, " bytes before ", Quoted(key));
    reached = entry.end;
  }
  if (reached != data_size) return Damaged(name, data_size - reached, " trailing bytes belong to no tensor");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsFile> ParseSafetensors(std::span<const std::byte> bytes,
                                                 std::shared_ptr<const void> owner, const std::string& name) {
  if (bytes.size() < kLengthBytes) return Damaged(name, "it has ", bytes.size(), " bytes; wants a header");
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  if (length == 0 || length > kMaxHeader) {
    return Damaged(name, "the header length is ", length, "; wants 1..", kMaxHeader);
  }
  if (length > bytes.size() - kLengthBytes) {
    return Damaged(name, "the header length is ", length, " but only ", bytes.size() - kLengthBytes,
                   " bytes follow");
  }
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + length);
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(
      std::string_view(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length));
  if (!header.ok()) return Damaged(name, std::string(header.status().message()));
  IP2P_RETURN_IF_ERROR(CheckLayout(*header, data.size(), name));
  SafetensorsFile file;
  for (auto& [key, entry] : header->entries) {
    TensorView view{entry.dtype, std::move(entry.shape), data.subspan(entry.begin, entry.end - entry.begin),
                    owner};
    // Old writers did not pad the header; their tensors may lie at odd addresses.
    file.tensors.emplace(key, IsAligned(view) ? std::move(view) : Copy(view));
  }
  file.metadata = std::move(header->metadata);
  return file;
}

absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path, const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path, name));
  const std::span<const std::byte> bytes = file->bytes();
  return ParseSafetensors(bytes, std::move(file), name);
}

absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors, const Metadata& metadata) {
  std::vector<const TensorMap::value_type*> order;
  for (const auto& item : tensors) {
    const auto& [key, view] = item;
    if (key == "__metadata__" || ByteSize(view.dtype, view.shape) != view.data.size()) {
      return absl::InternalError(absl::StrCat("tensor ", Quoted(key), " cannot be written"));
    }
    order.push_back(&item);
  }
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [](const auto* item) { return DTypeSize(item->second.dtype); });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto* item : order) {
    const auto& [key, view] = *item;
    nlohmann::ordered_json entry;
    entry["dtype"] = DTypeName(view.dtype);
    entry["shape"] = view.shape;
    entry["data_offsets"] = {offset, offset + view.data.size()};
    offset += view.data.size();
    header.get_ref<nlohmann::ordered_json::object_t&>().push_back({key, std::move(entry)});
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeader) return absl::InvalidArgumentError("the header would be too large");
  std::array<std::byte, kLengthBytes> length;
  for (size_t i = 0; i < kLengthBytes; ++i) length[i] = static_cast<std::byte>(text.size() >> (8 * i));
  IP2P_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  IP2P_RETURN_IF_ERROR(file.Write(length));
  IP2P_RETURN_IF_ERROR(file.Write(text));
  for (const auto* item : order) IP2P_RETURN_IF_ERROR(file.Write(item->second.data));
  return file.Publish();
}

}  // namespace ip2p
