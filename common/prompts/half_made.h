// How far a caption has come without an outcome. Plain data.
#pragma once

#include <string>

#include "common/dataset/usage.h"

namespace ip2p {

// What the next process need not ask again. The caption itself has been judged before the first of these.
struct HalfMade {
  int tries = 0;         // answered by the writer
  bool pending = false;  // the last answer could be taken, and waits to be judged
  std::string edit;      // that answer
  std::string output;
  std::string model;  // that answered last
  Usage usage;        // of all so far; the outcome's contains it
  friend bool operator==(const HalfMade&, const HalfMade&) = default;
};

}  // namespace ip2p
