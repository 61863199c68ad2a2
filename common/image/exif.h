// The two EXIF fields that matter here: the orientation of a photograph and the comment that carries
// parameters.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ip2p {

struct Exif {
  int orientation = 1;                      // tag 0x0112; 1..8
  std::optional<std::string> user_comment;  // tag 0x9286 as UTF-8
};

// Reads a TIFF structure, with or without "Exif\0\0" before it. Never fails: what is damaged, out of range or
// of another type is skipped. Visits at most the first directory and its Exif directory and follows no other
// link, so its work is bounded whatever the offsets say.
Exif ParseExif(std::string_view bytes);

// A big-endian TIFF structure with `comment` (UTF-8) as UserComment: ASCII when it can, else UTF-16, as
// piexif writes. Without "Exif\0\0".
std::string BuildExif(std::string_view comment);

}  // namespace ip2p
