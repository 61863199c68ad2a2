#include "common/checkpoint/ckpt.h"

#include <zlib.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/pickle.h"
#include "common/checkpoint/tensor_copy.h"
#include "common/checkpoint/text_quote.h"
#include "common/checkpoint/zip.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

using Kind = PickleNode::Kind;

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Formats that torch.save wrote before 1.6, and pickles that are no torch file at all.
absl::Status CheckNotLegacy(std::string_view text, const std::string& label) {
  constexpr std::string_view kMagicPickle("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);
  const bool tar = text.size() > 262 && text.substr(257, 5) == "ustar";
  if (tar || text.starts_with(kMagicPickle)) {
    return absl::InvalidArgumentError(absl::StrCat(
        label, " is in a torch format older than 1.6; wants the zip format: load and save it again"));
  }
  if (text.starts_with("\x80") || text.starts_with("(")) {
    return absl::InvalidArgumentError(absl::StrCat(label, " is a bare pickle; wants a file of torch.save"));
  }
  return absl::OkStatus();
}

// The entries of one archive, without their common folder.
class Archive {
 public:
  static absl::StatusOr<Archive> Open(std::span<const std::byte> bytes, const std::string& label) {
    IP2P_ASSIGN_OR_RETURN(std::vector<ZipEntry> entries, ReadStoredZip(bytes, label));
    Archive archive;
    std::string folder;
    for (const ZipEntry& entry : entries) {
      const size_t slash = entry.name.find('/');
      if (slash == entry.name.npos || entry.name.substr(slash) != "/data.pkl") continue;
      if (!folder.empty()) return absl::DataLossError(absl::StrCat(label, " has two data.pkl; wants one"));
      folder = entry.name.substr(0, slash + 1);
    }
    if (folder.empty())
      return absl::DataLossError(absl::StrCat(label, " has no data.pkl; wants a file of torch.save"));
    for (ZipEntry& entry : entries) {
      if (entry.name.starts_with(folder)) archive.entries_[entry.name.substr(folder.size())] = entry;
    }
    if (archive.Find("constants.pkl") != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(label, " is a TorchScript program; wants plain tensors"));
    }
    const ZipEntry* order = archive.Find("byteorder");
    if (order != nullptr && TextOf(order->data) != "little") {
      return absl::InvalidArgumentError(
          absl::StrCat(label, " was saved on a big-endian machine; wants little"));
    }
    return archive;
  }

  const ZipEntry* Find(const std::string& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, ZipEntry> entries_;
};

// Turns tensor nodes into views.
class TensorBuilder {
 public:
  TensorBuilder(const Archive& archive, const PickleDocument& document, std::shared_ptr<const void> owner,
                size_t copy_budget, const std::string& label)
      : archive_(archive),
        document_(document),
        owner_(std::move(owner)),
        copy_budget_(copy_budget),
        label_(label) {}

  absl::StatusOr<TensorView> Build(const std::string& name, const PickleNode& tensor) {
    const PickleNode& storage = document_[tensor.items[0]];
    const ZipEntry* entry = archive_.Find(absl::StrCat("data/", std::string(storage.text)));
    if (entry == nullptr) return Damaged(name, "its storage is not in the file");
    const size_t element = DTypeSize(tensor.dtype);
    const uint64_t elements = static_cast<uint64_t>(storage.number);
    if (storage.number < 0 || elements != entry->data.size() / element || entry->data.size() % element != 0) {
      return Damaged(name, absl::StrCat("its storage has ", entry->data.size(), " bytes; wants ",
                                        storage.number, " elements of ", element));
    }
    std::vector<int64_t> shape, stride;
    if (!Numbers(document_[tensor.items[1]], shape) || !Numbers(document_[tensor.items[2]], stride) ||
        shape.size() != stride.size() || tensor.number < 0) {
      return Damaged(name, "its shape, stride or offset is not made of whole numbers from 0");
    }
    const std::optional<size_t> size = ByteSize(tensor.dtype, shape);
    if (!size.has_value() || *size > entry->data.size()) {
      return Damaged(
          name, absl::StrCat("its shape is ", ShapeText(shape), "; wants at most ", elements, " elements"));
    }
    if (!InRange(shape, stride, tensor.number, elements)) {
      return Damaged(name, absl::StrCat("its stride ", ShapeText(stride), " and offset ", tensor.number,
                                        " leave the storage of ", elements, " elements"));
    }
    if (*size == 0) return TensorView{tensor.dtype, shape, {}, owner_};
    TensorView view{tensor.dtype, shape, {}, owner_};
    const bool contiguous = IsContiguous(shape, stride);
    if (contiguous) {
      view.data = entry->data.subspan(static_cast<size_t>(tensor.number) * element, *size);
      if (IsAligned(view)) return view;
    }
    // Many tensors may share one storage, so a small file could ask for copies without end.
    if (*size > copy_budget_) return Damaged(name, "its copies are larger than the file");
    copy_budget_ -= *size;
    return contiguous ? Copy(view) : CopyStrided(tensor.dtype, shape, stride, tensor.number, entry->data);
  }

 private:
  absl::Status Damaged(const std::string& name, const std::string& what) const {
    return absl::DataLossError(absl::StrCat(label_, " is damaged: the tensor ", Quoted(name), ": ", what));
  }

  bool Numbers(const PickleNode& tuple, std::vector<int64_t>& numbers) const {
    constexpr size_t kMaxRank = 16;
    if (tuple.items.size() > kMaxRank) return false;
    for (const NodeId item : tuple.items) {
      const PickleNode& number = document_[item];
      if (number.kind != Kind::kInt || number.number < 0) return false;
      numbers.push_back(number.number);
    }
    return true;
  }

  static bool InRange(std::span<const int64_t> shape, std::span<const int64_t> stride, int64_t offset,
                      uint64_t elements) {
    if (static_cast<uint64_t>(offset) > elements) return false;
    uint64_t last = static_cast<uint64_t>(offset);
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0) return true;
      uint64_t step = 0;
      if (__builtin_mul_overflow(static_cast<uint64_t>(shape[i] - 1), static_cast<uint64_t>(stride[i]),
                                 &step) ||
          __builtin_add_overflow(last, step, &last)) {
        return false;
      }
    }
    return last < elements;
  }

  static bool IsContiguous(std::span<const int64_t> shape, std::span<const int64_t> stride) {
    int64_t expected = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] != 1 && stride[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }

  const Archive& archive_;
  const PickleDocument& document_;
  const std::shared_ptr<const void> owner_;
  size_t copy_budget_;
  const std::string& label_;
};

}  // namespace

absl::StatusOr<TorchFile> ParseTorchFile(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                         const std::string& name) {
  IP2P_RETURN_IF_ERROR(CheckNotLegacy(TextOf(bytes), name));
  IP2P_ASSIGN_OR_RETURN(const Archive archive, Archive::Open(bytes, name));
  const ZipEntry& pickle = *archive.Find("data.pkl");
  const auto* pickle_bytes = reinterpret_cast<const Bytef*>(pickle.data.data());
  if (crc32_z(0, pickle_bytes, pickle.data.size()) != pickle.crc32) {
    return absl::DataLossError(absl::StrCat(name, " is damaged: data.pkl does not match its checksum"));
  }
  IP2P_ASSIGN_OR_RETURN(const PickleDocument document, ReadPickle(pickle.data, name));
  const PickleNode* dictionary = &document[document.root];
  if (dictionary->kind != Kind::kDict) {
    return absl::DataLossError(absl::StrCat(name, " holds no dictionary; wants named tensors"));
  }
  TorchFile file;
  if (const PickleNode* state = document.Find(*dictionary, "state_dict"); state != nullptr) {
    const PickleNode* step = document.Find(*dictionary, "global_step");
    if (step != nullptr && step->kind == Kind::kInt) file.global_step = step->number;
    if (state->kind != Kind::kDict) {
      return absl::DataLossError(absl::StrCat(name, " has a state_dict that is no dictionary"));
    }
    dictionary = state;
  }
  TensorBuilder builder(archive, document, std::move(owner), bytes.size(), name);
  for (size_t i = 0; i + 1 < dictionary->items.size(); i += 2) {
    const PickleNode& key = document[dictionary->items[i]];
    const PickleNode& value = document[dictionary->items[i + 1]];
    if (value.kind != Kind::kTensor) continue;  // counters and the like
    if (key.kind != Kind::kText)
      return absl::DataLossError(absl::StrCat(name, " has a tensor without a text name"));
    const std::string tensor_name(key.text);
    IP2P_ASSIGN_OR_RETURN(TensorView view, builder.Build(tensor_name, value));
    if (!file.tensors.emplace(tensor_name, std::move(view)).second) {
      return absl::DataLossError(
          absl::StrCat(name, " is damaged: the tensor ", Quoted(tensor_name), " is there twice"));
    }
  }
  return file;
}

absl::StatusOr<TorchFile> ReadTorchFile(const std::string& path, const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path, name));
  const std::span<const std::byte> bytes = file->bytes();
  return ParseTorchFile(bytes, std::move(file), name);
}

}  // namespace ip2p
