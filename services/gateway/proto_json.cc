#include "services/gateway/proto_json.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/base/utf8.h"
#include "common/rpc/duration_proto.h"
#include "google/protobuf/descriptor.h"

namespace ip2p::gateway {
namespace {

using google::protobuf::Duration;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;
using nlohmann::json;

// SampleVerdict -> SAMPLE_VERDICT_
std::string PrefixOf(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return prefix + "_";
}

json NumberOrNull(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json MessageOrTime(const Message& message) {
  if (const auto* duration = dynamic_cast<const Duration*>(&message)) {
    return absl::ToDoubleSeconds(FromProto(*duration));
  }
  if (const auto* time = dynamic_cast<const Timestamp*>(&message)) {
    const absl::Time when = absl::FromUnixSeconds(time->seconds()) + absl::Nanoseconds(time->nanos());
    return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", when, absl::UTCTimeZone());
  }
  return ToJson(message);
}

// Element `i` of a repeated field, or the field itself when i is -1.
json ValueOf(const Message& m, const FieldDescriptor& f, int i) {
  const Reflection& r = *m.GetReflection();
  const bool one = i < 0;
  switch (f.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? r.GetInt32(m, &f) : r.GetRepeatedInt32(m, &f, i);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? r.GetInt64(m, &f) : r.GetRepeatedInt64(m, &f, i);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? r.GetUInt32(m, &f) : r.GetRepeatedUInt32(m, &f, i);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? r.GetUInt64(m, &f) : r.GetRepeatedUInt64(m, &f, i);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberOrNull(one ? r.GetDouble(m, &f) : r.GetRepeatedDouble(m, &f, i));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return NumberOrNull(one ? r.GetFloat(m, &f) : r.GetRepeatedFloat(m, &f, i));
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? r.GetBool(m, &f) : r.GetRepeatedBool(m, &f, i);
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumWord(one ? *r.GetEnum(m, &f) : *r.GetRepeatedEnum(m, &f, i));
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = one ? r.GetString(m, &f) : r.GetRepeatedString(m, &f, i);
      return f.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(text) : text;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageOrTime(one ? r.GetMessage(m, &f) : r.GetRepeatedMessage(m, &f, i));
  }
  return nullptr;
}

class Setter {
 public:
  Setter(Message& message, const FieldDescriptor& field, std::string path)
      : message_(message), field_(field), reflection_(*message.GetReflection()), path_(std::move(path)) {}

  absl::Status Set(const json& value) {
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return Whole<int32_t>(value, &Reflection::SetInt32, &Reflection::AddInt32);
      case FieldDescriptor::CPPTYPE_INT64:
        return Whole<int64_t>(value, &Reflection::SetInt64, &Reflection::AddInt64);
      case FieldDescriptor::CPPTYPE_UINT32:
        return Whole<uint32_t>(value, &Reflection::SetUInt32, &Reflection::AddUInt32);
      case FieldDescriptor::CPPTYPE_UINT64:
        return Whole<uint64_t>(value, &Reflection::SetUInt64, &Reflection::AddUInt64);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return Decimal(value);
      case FieldDescriptor::CPPTYPE_BOOL:
        return Switch(value);
      case FieldDescriptor::CPPTYPE_ENUM:
        return Word(value);
      case FieldDescriptor::CPPTYPE_STRING:
        return Text(value);
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (!value.is_object()) return Unwanted(value, "an object");
        return FromJson(value, path_,
                        field_.is_repeated() ? reflection_.AddMessage(&message_, &field_)
                                             : reflection_.MutableMessage(&message_, &field_));
      default:
        return absl::InternalError(absl::StrCat(path_, " has a type that JSON is not read into"));
    }
  }

 private:
  template <typename Value>
  using SetOne = void (Reflection::*)(Message*, const FieldDescriptor*, Value) const;

  absl::Status Unwanted(const json& value, const std::string& wanted) const {
    std::string found = value.is_structured() ? (value.is_array() ? "an array" : "an object")
                                              : value.dump(-1, ' ', false, json::error_handler_t::replace);
    if (found.size() > 60) found = absl::StrCat("a ", value.type_name(), " of ", found.size(), " B");
    return absl::InvalidArgumentError(absl::StrCat(path_, " is ", found, "; wants ", wanted));
  }

  template <typename Value>
  void Put(Value value, SetOne<Value> set, SetOne<Value> add) {
    (reflection_.*(field_.is_repeated() ? add : set))(&message_, &field_, value);
  }

  template <typename Value>
  absl::Status Whole(const json& value, SetOne<Value> set, SetOne<Value> add) {
    const std::string wanted = absl::StrCat("a whole number in ", std::numeric_limits<Value>::min(), "..",
                                            std::numeric_limits<Value>::max());
    const double decimal = value.is_number_float() ? value.get<double>() : 0.5;
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    // 20.0 is whole too: JSON knows one kind of number.
    if (std::floor(decimal) == decimal && std::abs(decimal) < 9e15) {
      text = absl::StrCat(static_cast<int64_t>(decimal));
    }
    Value number = 0;
    if ((!value.is_number() && !value.is_string()) || !absl::SimpleAtoi(text, &number)) {
      return Unwanted(value, wanted);
    }
    Put<Value>(number, set, add);
    return absl::OkStatus();
  }

  absl::Status Decimal(const json& value) {
    double number = 0;
    if (value.is_number()) {
      number = value.get<double>();
    } else if (!value.is_string() || !absl::SimpleAtod(value.get<std::string>(), &number)) {
      return Unwanted(value, "a number");
    }
    if (!std::isfinite(number)) return Unwanted(value, "a finite number");
    Put<double>(number, &Reflection::SetDouble, &Reflection::AddDouble);
    return absl::OkStatus();
  }

  absl::Status Switch(const json& value) {
    const bool yes = value == true || value == "true";
    if (!yes && value != false && value != "false") return Unwanted(value, "true or false");
    Put<bool>(yes, &Reflection::SetBool, &Reflection::AddBool);
    return absl::OkStatus();
  }

  absl::Status Word(const json& value) {
    const EnumDescriptor& type = *field_.enum_type();
    std::vector<std::string> words;
    for (int i = 0; i < type.value_count(); ++i) {
      if (type.value(i)->number() == 0) continue;
      words.push_back(EnumWord(*type.value(i)));
      if (value != words.back()) continue;
      if (field_.is_repeated()) {
        reflection_.AddEnum(&message_, &field_, type.value(i));
      } else {
        reflection_.SetEnum(&message_, &field_, type.value(i));
      }
      return absl::OkStatus();
    }
    return Unwanted(value, absl::StrJoin(words, ", "));
  }

  absl::Status Text(const json& value) {
    if (!value.is_string()) return Unwanted(value, "a text");
    std::string text = value.get<std::string>();
    if (field_.type() == FieldDescriptor::TYPE_BYTES) {
      std::string bytes;
      if (!absl::Base64Unescape(text, &bytes)) return Unwanted(value, "base64");
      text = std::move(bytes);
    } else if (!IsValidUtf8(text)) {
      return absl::InvalidArgumentError(absl::StrCat(path_, " is not UTF-8; wants text"));
    }
    if (field_.is_repeated()) {
      reflection_.AddString(&message_, &field_, std::move(text));
    } else {
      reflection_.SetString(&message_, &field_, std::move(text));
    }
    return absl::OkStatus();
  }

  Message& message_;
  const FieldDescriptor& field_;
  const Reflection& reflection_;
  const std::string path_;
};

}  // namespace

std::string EnumWord(const google::protobuf::EnumValueDescriptor& value) {
  const std::string prefix = PrefixOf(*value.type());
  const std::string& name = value.name();
  return absl::AsciiStrToLower(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
}

json ToJson(const Message& message) {
  json object = json::object();
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_repeated()) {
      json& array = object[field.name()] = json::array();
      for (int k = 0; k < reflection.FieldSize(message, &field); ++k)
        array.push_back(ValueOf(message, field, k));
      continue;
    }
    if (field.has_presence() && !reflection.HasField(message, &field)) continue;
    const bool unspecified =
        field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM && reflection.GetEnumValue(message, &field) == 0;
    if (!unspecified) object[field.name()] = ValueOf(message, field, -1);
  }
  return object;
}

absl::Status FromJson(const json& object, const std::string& path, Message* message) {
  for (const auto& [key, value] : object.items()) {
    const std::string place = path.empty() ? key : absl::StrCat(path, ".", key);
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(key);
    if (field == nullptr) {
      std::vector<std::string> names;
      for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
        names.push_back(message->GetDescriptor()->field(i)->name());
      }
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", place.substr(0, 100), "\" is no field; wants some of ", absl::StrJoin(names, ", ")));
    }
    if (!field->is_repeated()) {
      const absl::Status set = Setter(*message, *field, place).Set(value);
      if (!set.ok()) return set;
      continue;
    }
    if (!value.is_array()) return absl::InvalidArgumentError(absl::StrCat(place, " is no array; wants one"));
    for (const json& element : value) {
      const absl::Status added = Setter(*message, *field, place).Set(element);
      if (!added.ok()) return added;
    }
  }
  return absl::OkStatus();
}

}  // namespace ip2p::gateway
