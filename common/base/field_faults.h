// Collects what is wrong with a request's fields, each as "field is found; wants wanted". Not thread-safe.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/limits.h"
#include "common/base/utf8.h"

namespace ip2p {

class FieldFaults {
 public:
  void Text(const char* name, const std::string& text) {
    if (text.size() > kMaxTextBytes) {
      Add(absl::StrFormat("%s is %d bytes; wants at most %d", name, text.size(), kMaxTextBytes));
    } else if (text.find('\0') != std::string::npos) {
      Add(absl::StrCat(name, " holds a NUL byte; wants UTF-8 text without one"));
    } else if (!IsValidUtf8(text)) {
      Add(absl::StrCat(name, " is not UTF-8; wants UTF-8 text"));
    }
  }
  void Whole(const char* name, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) Add(absl::StrFormat("%s is %d; wants %d..%d", name, value, low, high));
  }
  void Number(const char* name, double value, double low, double high) {
    if (!std::isfinite(value) || value < low || value > high) {
      Add(absl::StrFormat("%s is %g; wants a finite number in %g..%g", name, value, low, high));
    }
  }
  void Add(std::string fault) { faults_.push_back(std::move(fault)); }

  // INVALID_ARGUMENT with all of them.
  absl::Status status() const {
    return faults_.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrJoin(faults_, "; "));
  }

 private:
  std::vector<std::string> faults_;
};

}  // namespace ip2p
