// Captioned pictures in the layout of Hugging Face's "imagefolder": metadata.jsonl, an object a line with
// file_name and caption or text.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

struct CaptionedPicture {
  std::string file;  // below the folder
  std::string caption;
};

// Constant after Read; any thread.
class PictureList {
 public:
  // Lines that are none, and names that leave the folder, are no pictures. FAILED_PRECONDITION when over
  // 0.1 % of the lines are such; NOT_FOUND, or as read(2).
  static absl::StatusOr<PictureList> Read(const std::string& folder);

  const std::vector<CaptionedPicture>& pictures() const { return pictures_; }
  // The bytes of one's file. NOT_FOUND; INVALID_ARGUMENT: a link leaves the folder, over kMaxImageBytes.
  absl::StatusOr<std::string> BytesOf(const CaptionedPicture& picture) const;
  const std::string& sha256() const { return sha256_; }  // of metadata.jsonl

 private:
  std::string root_;  // without links
  std::string sha256_;
  std::vector<CaptionedPicture> pictures_;
};

}  // namespace ip2p
