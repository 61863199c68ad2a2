// Many small pictures as one, with words: what a person looks over at a glance. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/image/image.h"

namespace ip2p {

struct SheetCell {
  Image before;
  Image after;
  std::string title;  // above both, broken into lines where it is too long
  std::string note;   // below them; empty: none
  bool good = true;   // of the note: dark green, else dark red
};

// Cells in rows of `columns`, pictures as they are, each pair side by side. Letters beyond ASCII are boxes.
// INVALID_ARGUMENT: no cell, no column, a picture without pixels.
absl::StatusOr<Image> ContactSheet(const std::vector<SheetCell>& cells, int columns);

}  // namespace ip2p
