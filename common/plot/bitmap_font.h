// Letters of 5x7 dots for what has no fonts, drawn for this project. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace ip2p {

inline constexpr int kGlyphWidth = 5;     // dots
inline constexpr int kGlyphAdvance = 6;   // from one letter to the next
inline constexpr int kGlyphBaseline = 7;  // rows above the line that letters stand on; two more below it

struct Dot {
  int column = 0;
  int row = 0;  // from the top of a capital letter
};

// The dots of a text; one letter a character of UTF-8, and a box for each that is not in ASCII.
std::vector<Dot> DotsOf(std::string_view text);
// From the first column to after the last one.
int DotWidth(std::string_view text);

}  // namespace ip2p
