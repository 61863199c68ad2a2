#include "common/checkpoint/safetensors_header.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/checkpoint/text_quote.h"

namespace ip2p {
namespace {

constexpr size_t kMaxRank = 16;

// { NAME: {"dtype": TEXT, "shape": [N...], "data_offsets": [B, E]}, "__metadata__": {KEY: TEXT} }
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader header;
  std::string fault;

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return Unexpected("a fraction"); }
  bool binary(binary_t&) override { return Unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) {
      if (value > static_cast<number_unsigned_t>(INT64_MAX)) return Fail("shape is too large");
      if (entry_.shape.size() == kMaxRank) return Fail("shape has too many dimensions");
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (offsets_ == 2) return Fail("data_offsets has more than two numbers");
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    return Unexpected("a number");
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      header.metadata[key_] = std::move(value);
      return true;
    }
    if (place_ == Place::kEntry && key_ == "dtype") {
      const std::optional<DType> dtype = DTypeFromName(value);
      if (!dtype.has_value()) return Fail(absl::StrCat("dtype is ", Quoted(value), ", which is unknown"));
      entry_.dtype = *dtype;
      return true;
    }
    return Unexpected("a text");
  }

  bool key(string_t& value) override {
    switch (place_) {
      case Place::kTop:
        name_ = value;
        if (name_ == "__metadata__" ? seen_metadata_ : header.entries.contains(name_)) {
          return Fail(absl::StrCat("the key ", Quoted(name_), " stands there twice"));
        }
        return true;
      case Place::kMetadata:
        if (header.metadata.contains(value)) return Fail("__metadata__ has a key twice");
        break;
      case Place::kEntry: {
        const unsigned bit = value == "dtype"          ? 1u
                             : value == "shape"        ? 2u
                             : value == "data_offsets" ? 4u
                                                       : 0u;
        if (bit == 0) return Fail(absl::StrCat("has the unknown field ", Quoted(value)));
        if (fields_ & bit) return Fail(absl::StrCat("has the field ", Quoted(value), " twice"));
        fields_ |= bit;
        break;
      }
      default:
        return Unexpected("a key");
    }
    key_ = value;
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::kOutside) {
      place_ = Place::kTop;
    } else if (place_ == Place::kTop && name_ == "__metadata__") {
      seen_metadata_ = true;
      place_ = Place::kMetadata;
    } else if (place_ == Place::kTop) {
      entry_ = {};
      fields_ = 0;
      offsets_ = 0;
      place_ = Place::kEntry;
    } else {
      return Unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kEntry) {
      if (fields_ != 7) return Fail("lacks one of dtype, shape, data_offsets");
      header.entries.emplace(name_, std::move(entry_));
    }
    place_ = place_ == Place::kTop ? Place::kOutside : Place::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == Place::kEntry && key_ == "shape") {
      place_ = Place::kShape;
    } else if (place_ == Place::kEntry && key_ == "data_offsets") {
      place_ = Place::kOffsets;
    } else {
      return Unexpected("a list");
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kOffsets && offsets_ != 2) return Fail("data_offsets has fewer than two numbers");
    place_ = Place::kEntry;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    if (fault.empty()) fault = absl::StrCat("the header is not JSON at byte ", position);
    return false;
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kEntry, kShape, kOffsets };

  bool Fail(const std::string& what) {
    fault = name_.empty() ? what : absl::StrCat(Quoted(name_), ": ", what);
    return false;
  }
  bool Unexpected(const char* what) {
    return Fail(absl::StrCat("the header has ", what, " in a wrong place"));
  }

  Place place_ = Place::kOutside;
  std::string name_;  // of the tensor
  std::string key_;   // inside it
  SafetensorsEntry entry_;
  unsigned fields_ = 0;
  int offsets_ = 0;
  bool seen_metadata_ = false;
};

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json) {
  if (json.empty() || json.front() != '{') return absl::DataLossError("the header does not begin with {");
  HeaderHandler handler;
  if (!nlohmann::json::sax_parse(json, &handler)) return absl::DataLossError(handler.fault);
  return std::move(handler.header);
}

}  // namespace ip2p
