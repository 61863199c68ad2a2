#include "common/plot/contact_sheet.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/plot/bitmap_font.h"

namespace ip2p {
namespace {

constexpr int kGap = 8;    // px between cells
constexpr int kInner = 2;  // between the two pictures
constexpr int kLine = 12;  // px a line of letters
constexpr int kTitleLines = 2;

using Paint = std::array<uint8_t, 3>;
constexpr Paint kInk = {20, 20, 20}, kGood = {0, 110, 40}, kBad = {170, 20, 20};

// Words that fit `width` px, at most `most` lines; what is over is cut off at the last one.
std::vector<std::string> Wrap(const std::string& text, int width, size_t most) {
  std::vector<std::string> lines = {""};
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::string longer =
        lines.back().empty() ? std::string(word) : absl::StrCat(lines.back(), " ", word);
    if (DotWidth(longer) <= width || lines.back().empty() || lines.size() == most) {
      lines.back() = longer;
    } else {
      lines.emplace_back(word);
    }
  }
  return lines;
}

class Sheet {
 public:
  Sheet(int width, int height) : image_{.width = width, .height = height} {
    image_.pixels.assign(static_cast<size_t>(width) * static_cast<size_t>(height) * 3, 250);
  }

  void Put(const Image& picture, int left, int top) {
    const size_t row = static_cast<size_t>(picture.width) * 3;
    for (int y = 0; y < picture.height; ++y) {
      std::copy_n(picture.pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(y) * row), row,
                  image_.pixels.begin() + static_cast<std::ptrdiff_t>(At(left, top + y)));
    }
  }

  // Cut off at `right`.
  void Write(const std::string& text, int left, int top, int right, const Paint& paint) {
    for (const Dot& dot : DotsOf(text)) {
      const int x = left + dot.column, y = top + dot.row;
      if (x < right && x < image_.width && y < image_.height) {
        std::copy(paint.begin(), paint.end(), image_.pixels.begin() + static_cast<std::ptrdiff_t>(At(x, y)));
      }
    }
  }

  Image Take() { return std::move(image_); }

 private:
  size_t At(int x, int y) const {
    return (static_cast<size_t>(y) * static_cast<size_t>(image_.width) + static_cast<size_t>(x)) * 3;
  }

  Image image_;
};

}  // namespace

absl::StatusOr<Image> ContactSheet(const std::vector<SheetCell>& cells, int columns) {
  if (cells.empty() || columns < 1)
    return absl::InvalidArgumentError("a sheet of no cells; wants at least one");
  int width = 0, height = 0;  // of a pair
  for (const SheetCell& cell : cells) {
    if (cell.before.pixels.empty() || cell.after.pixels.empty())
      return absl::InvalidArgumentError("a picture of the sheet is empty; wants pixels");
    width = std::max(width, cell.before.width + kInner + cell.after.width);
    height = std::max({height, cell.before.height, cell.after.height});
  }
  const int count = static_cast<int>(cells.size());
  const int across = std::min(columns, count), down = (count + columns - 1) / columns;
  const int pitch = kGap + kTitleLines * kLine + height + kLine;
  Sheet sheet(kGap + across * (width + kGap), kGap + down * pitch);
  for (int i = 0; i < count; ++i) {
    const SheetCell& cell = cells[static_cast<size_t>(i)];
    const int left = kGap + i % columns * (width + kGap);
    const int pictures = kGap + i / columns * pitch + kTitleLines * kLine;
    const std::vector<std::string> title = Wrap(cell.title, width, kTitleLines);
    int line = pictures - kLine * static_cast<int>(title.size());
    for (const std::string& words : title) {
      sheet.Write(words, left, line, left + width, kInk);
      line += kLine;
    }
    sheet.Put(cell.before, left, pictures);
    sheet.Put(cell.after, left + cell.before.width + kInner, pictures);
    sheet.Write(cell.note, left, pictures + height + 2, left + width, cell.good ? kGood : kBad);
  }
  return sheet.Take();
}

}  // namespace ip2p
