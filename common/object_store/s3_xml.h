// The documents that S3 speaks: what is read of them, and the one that is written. Pure functions, on
// pugixml, which resolves no entities but XML's own five and loads nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/object_store/store_settings.h"

namespace ip2p {

struct ListedObject {
  std::string key;
  int64_t size = 0;  // bytes
  std::string etag;  // with its quotes
  friend bool operator==(const ListedObject&, const ListedObject&) = default;
};

struct ListPage {
  std::vector<ListedObject> objects;  // by key
  std::vector<std::string> folders;   // "some/pairs/", of a list that asks for them; by name
  std::string next;                   // asks for the next page; empty: this is the last one
};

// Of ListObjectsV2 with encoding-type=url. UNAVAILABLE: it is no such document, or not whole.
absl::StatusOr<ListPage> ParseListPage(std::string_view xml);
// Of CreateMultipartUpload. UNAVAILABLE as above.
absl::StatusOr<std::string> ParseUploadId(std::string_view xml);
// Of AssumeRoleWithWebIdentity. UNAVAILABLE as above.
absl::StatusOr<StoreKeys> ParseRoleKeys(std::string_view xml);

// What an answer that is no success says; all empty when it is no such document.
struct StoreError {
  std::string code;     // "NoSuchKey"
  std::string message;  // the store's words, unscrubbed
  std::string region;   // the one that the store wants
};
StoreError ParseStoreError(std::string_view xml);

struct UploadedPart {
  int number = 0;  // from 1
  std::string etag;
  std::string sha256;  // base64
};
std::string CompleteUploadXml(const std::vector<UploadedPart>& parts);

}  // namespace ip2p
