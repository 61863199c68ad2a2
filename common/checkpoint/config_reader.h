// Reads one config.json strictly: fields have a type, a range and diffusers' default; fields we do not
// implement must have the value that switches them off; anything else must be null or false. All faults are
// listed together. Thread-compatible.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace ip2p {

class ConfigReader {
 public:
  // DATA_LOSS when `text` is not a JSON object. `name` stands in messages.
  static absl::StatusOr<ConfigReader> Parse(std::string_view text, const std::string& name);

  // A missing or null field gives the default.
  int Int(const char* field, int standard, int min = 1, int max = 1 << 20);
  double Number(const char* field, double standard, double min, double max);
  bool Bool(const char* field, bool standard);
  std::string Text(const char* field, std::string_view standard);
  std::vector<std::string> Texts(const char* field, std::vector<std::string> standard);
  std::vector<int> Ints(const char* field, std::vector<int> standard, int min = 1, int max = 1 << 20);
  // One number for all levels or a list of `count`; an empty result was a fault.
  std::vector<int> IntPerLevel(const char* field, int standard, size_t count, int min = 1, int max = 1 << 20);
  // The same, where a list must repeat one number.
  int SameAtEachLevel(const char* field, int standard, size_t count, int min = 1, int max = 1 << 20);

  // Present and neither null nor false.
  bool Has(const char* field) const;
  // The field is absent, null or equal to `wanted`.
  void Require(const char* field, const nlohmann::json& wanted);
  // Accepted with any value: it does not change what is computed here.
  void Ignore(std::initializer_list<const char*> fields);
  void Fault(const std::string& field, const std::string& found, const std::string& wanted);
  std::string FoundText(const char* field) const;

  enum class UnknownFields { kRefuse, kIgnore };

  // Call last. FAILED_PRECONDITION naming every fault.
  absl::Status Finish(UnknownFields unknown = UnknownFields::kRefuse);

 private:
  ConfigReader(nlohmann::json json, const std::string& name) : json_(std::move(json)), name_(name) {}
  const nlohmann::json* Find(const char* field);

  nlohmann::json json_;
  std::string name_;
  std::set<std::string, std::less<>> seen_;
  std::vector<std::string> faults_;
};

}  // namespace ip2p
