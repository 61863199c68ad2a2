// What is wrong with one prompt's folder. Reads and decodes its images; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/near_duplicates.h"

namespace ip2p {

enum class FaultKind {
  // Bad: training cannot use it as it is.
  kMissingHalf,    // a before without its after, or the other way round
  kDamagedImage,   // does not decode
  kUnequalSizes,   // before and after
  kIdenticalPair,  // both images are the same picture
  kSwappedPair,    // the after stands where the before belongs
  kBadPrompt,      // no readable prompt.json with an instruction
  kBadRecord,      // a line of scores.jsonl or metadata.jsonl that cannot be read
  kOutside,        // a link or a name that leaves the dataset
  kAbsent,         // seeds.json or the scores name a folder or pair that is not there
  // Worth knowing, not bad.
  kChangedImage,   // not the bytes that scores.jsonl tells
  kNearDuplicate,  // of an earlier pair
};

const char* FaultName(FaultKind kind);  // "missing_half"
bool IsBad(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kMissingHalf;
  std::string place;  // "0000012/17_1.jpg"
  std::string more;   // what was found; may be empty
};

struct CheckedPair {
  std::string seed;
  PairHash hash;
};

struct CheckedFolder {
  std::vector<Fault> faults;
  std::vector<CheckedPair> pairs;  // those whose images decode
};

// Swapped pairs are told by the digests in scores.jsonl, and otherwise where a prompt holds a pair and its
// reverse: the later of the two counts as swapped. A pair on its own cannot be judged by its pixels. Errors:
// of the disk.
absl::StatusOr<CheckedFolder> CheckFolder(const DatasetReader& reader, const std::string& folder);

}  // namespace ip2p
