// Contact sheets: where pictures and words stand.
#include "common/plot/contact_sheet.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace ip2p {
namespace {

Image Flat(int width, int height, uint8_t level) {
  Image image{.width = width, .height = height};
  image.pixels.assign(static_cast<size_t>(width) * static_cast<size_t>(height) * 3, level);
  return image;
}

int64_t CountOf(const Image& image, std::array<uint8_t, 3> paint) {
  int64_t count = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    count += std::equal(paint.begin(), paint.end(), image.pixels.begin() + static_cast<std::ptrdiff_t>(i));
  return count;
}

TEST(ContactSheet, EveryPictureIsThereWhole) {
  const auto sheet = ContactSheet({{Flat(40, 30, 1), Flat(40, 30, 2), "one", "good", true},
                                   {Flat(40, 30, 3), Flat(40, 30, 4), "two", "bad", false},
                                   {Flat(40, 20, 5), Flat(20, 30, 6), "three", "", true}},
                                  2);
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_EQ(sheet->width, 8 + 2 * (82 + 8));
  for (uint8_t level = 1; level <= 4; ++level)
    EXPECT_EQ(CountOf(*sheet, {level, level, level}), 1200) << +level;
  EXPECT_EQ(CountOf(*sheet, {5, 5, 5}), 800);
  EXPECT_EQ(CountOf(*sheet, {6, 6, 6}), 600);
  EXPECT_GT(CountOf(*sheet, {20, 20, 20}), 20);   // titles
  EXPECT_GT(CountOf(*sheet, {0, 110, 40}), 10);   // a good note
  EXPECT_GT(CountOf(*sheet, {170, 20, 20}), 10);  // a bad one
}

TEST(ContactSheet, LongWordsStayInTheirCell) {
  const std::string words =
      "put the very small purple triangle that is at the bottom of the picture on a green meadow";
  const auto sheet = ContactSheet({{Flat(16, 16, 1), Flat(16, 16, 1), words, words, false}}, 3);
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_EQ(sheet->width, 8 + 34 + 8);
  for (int y = 0; y < sheet->height; ++y) {
    for (int x = 8 + 34; x < sheet->width; ++x)
      EXPECT_EQ(
          sheet
              ->pixels[(static_cast<size_t>(y) * static_cast<size_t>(sheet->width) + static_cast<size_t>(x)) *
                       3],
          250);
  }
}

TEST(ContactSheet, NothingToShowIsRefused) {
  EXPECT_EQ(ContactSheet({}, 2).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ContactSheet({{Flat(4, 4, 0), {}, "", "", true}}, 2).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ContactSheet({{Flat(4, 4, 0), Flat(4, 4, 0), "", "", true}}, 0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ip2p
