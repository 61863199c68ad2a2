// A pickle interpreter that only builds data. It has no way to import or call anything: a global is a name,
// looked up in the fixed table of pickle_globals.h, and "calling" one of the few that are known makes a node
// that says what it would have been. Everything else is refused by name. Thread-safe: plain functions; no
// recursion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

using NodeId = uint32_t;

struct PickleNode {
  enum class Kind {
    kNone,
    kBool,     // number
    kInt,      // number
    kFloat,    // opaque to us
    kText,     // text
    kBytes,    // text
    kTuple,    // items
    kList,     // items
    kDict,     // items: key, value, key, value...
    kGlobal,   // number: index into the table of globals
    kStorage,  // text: key; dtype; number: elements
    kTensor,   // items: storage, shape, stride; number: offset in elements
    kOpaque,   // something harmless that we have no use for
  };
  Kind kind = Kind::kNone;
  DType dtype = DType::kFloat32;
  int64_t number = 0;
  std::string_view text;  // into the pickle
  std::vector<NodeId> items;
};

struct PickleDocument {
  std::vector<PickleNode> nodes;
  NodeId root = 0;

  const PickleNode& operator[](NodeId id) const { return nodes[id]; }
  // The last value under a text key of a dictionary; null when there is none.
  const PickleNode* Find(const PickleNode& dictionary, std::string_view key) const;
};

// Texts are views of `pickle`. Errors: INVALID_ARGUMENT for globals and opcodes that are not allowed ("asks
// for os.system"), protocols 0 and 1, and documents over the limits; DATA_LOSS for a malformed one.
absl::StatusOr<PickleDocument> ReadPickle(std::span<const std::byte> pickle, const std::string& label);

}  // namespace ip2p
