// See picture_folder.h.
#include "common/training/picture_folder.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/dataset/picture_list.h"

namespace ip2p {
namespace {

class PictureFolder final : public ExampleSource {
 public:
  PictureFolder(PictureList list, SplitRange range) : list_(std::move(list)), range_(range) {}

  int64_t size() const override { return range_.end - range_.begin; }

  absl::StatusOr<RawExample> Get(int64_t i, uint64_t) const override {
    const CaptionedPicture& picture = list_.pictures().at(range_.begin + i);
    IP2P_ASSIGN_OR_RETURN(std::string bytes, list_.BytesOf(picture));
    return RawExample{.after = std::move(bytes), .text = picture.caption};
  }

 private:
  const PictureList list_;
  const SplitRange range_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const ExampleSource>> OpenPictureFolder(const std::string& path, Split split) {
  IP2P_ASSIGN_OR_RETURN(PictureList list, PictureList::Read(path));
  const SplitRange range = RangeOf(split, static_cast<int64_t>(list.pictures().size()));
  return std::make_unique<PictureFolder>(std::move(list), range);
}

}  // namespace ip2p
