// Small datasets of coloured squares, on disk, in the layouts that training reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/dataset/seeds_file.h"
#include "common/image/encode.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {

// A square of one colour with a mark in its upper left corner, so that a mirrored one shows.
inline std::string PictureBytes(int side, int red, int green, ImageFormat format = ImageFormat::kJpeg) {
  Image image{.width = side, .height = side};
  image.pixels.resize(static_cast<size_t>(side) * side * 3);
  for (int i = 0; i < side * side; ++i) {
    const bool mark = i / side < side / 4 && i % side < side / 4;
    image.pixels[3 * i] = static_cast<uint8_t>(mark ? 255 - red : red);
    image.pixels[3 * i + 1] = static_cast<uint8_t>(green);
    image.pixels[3 * i + 2] = 40;
  }
  const auto bytes = EncodeImage(image, {.format = format, .quality = 100});
  EXPECT_TRUE(bytes.ok());
  return *bytes;
}

// `prompts` folders with two pairs each, and seeds.json.
inline std::string WriteDataset(const TempFolder& folder, int prompts, int side = 64) {
  std::vector<SeedsEntry> entries;
  std::filesystem::create_directories(folder.In("data"));
  for (int i = 0; i < prompts; ++i) {
    const std::string name = absl::StrFormat("%07d", i);
    std::filesystem::create_directories(folder.In("data/" + name));
    folder.Write(
        absl::StrCat("data/", name, "/prompt.json"),
        absl::StrFormat(R"({"caption":"square %d","edit":"make it %d","output":"edited %d"})", i, i, i));
    for (const char* seed : {"11", "12"}) {
      folder.Write(absl::StrCat("data/", name, "/", seed, "_0.jpg"), PictureBytes(side, (i * 37) % 256, 20));
      folder.Write(absl::StrCat("data/", name, "/", seed, "_1.jpg"), PictureBytes(side, (i * 37) % 256, 200));
    }
    entries.push_back({name, {"11", "12"}});
  }
  folder.Write("data/seeds.json", SeedsText(entries));
  return folder.In("data");
}

}  // namespace ip2p
