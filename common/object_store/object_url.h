// Names of objects: s3://BUCKET/KEY. The key stands there as it is: nothing in it is escaped, so a "%41" of
// the text is a "%41" of the key, as with other tools. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ip2p {

struct ObjectUrl {
  std::string bucket;
  std::string key;  // "" is the bucket as a whole; "models/" or "models" the objects below it

  std::string text() const;  // as it is parsed
  // The object `name` below this one as a folder.
  ObjectUrl Child(std::string_view name) const;
  // What the keys of all objects below this one begin with: "models/", or "" of a bucket.
  std::string prefix() const;
  // The last part of the key, of the bucket where there is none: "models".
  std::string base_name() const;
  friend bool operator==(const ObjectUrl&, const ObjectUrl&) = default;
};

// Whether a path is meant for an object store and not for the file system.
bool IsObjectUrl(std::string_view path);

// INVALID_ARGUMENT: no "s3://", a bucket's name that none can have, a key over 1024 bytes, no UTF-8, or with
// a NUL in it.
absl::StatusOr<ObjectUrl> ParseObjectUrl(std::string_view text);

// Percent-encoded as signatures want it: all but letters, digits and "-._~", and "/" where it stays.
std::string UriEncode(std::string_view text, bool keep_slashes);
// What stores list: escapes, and "+" for a space. What is no escape stays as it is.
std::string UriDecode(std::string_view text);

// Whether a part of a key may become a file's name: not "", "." or "..", no NUL, at most 255 bytes, and not
// one of those that are being written (".tmp-...").
bool IsFileName(std::string_view part);

}  // namespace ip2p
