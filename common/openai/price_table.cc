#include "common/openai/price_table.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

// As in "0613" and "2024-08-06": `shape` has # for a digit.
bool HasShape(std::string_view text, std::string_view shape) {
  return std::equal(text.begin(), text.end(), shape.begin(), shape.end(),
                    [](char c, char wanted) { return wanted == '#' ? c >= '0' && c <= '9' : c == wanted; });
}

// Whether a name that goes on like this is still the same model: of a date, or fine-tuned by an organisation.
bool ContinuesName(std::string_view rest) {
  rest = rest.substr(0, rest.find(':'));
  return rest.empty() || HasShape(rest, "-####-##-##") || HasShape(rest, "-####");
}

constexpr double kHighestPrice = 1e6;  // a dollar a token; keeps products inside of int64

absl::StatusOr<double> Amount(const Json& entry, const std::string& model, const char* key, double highest,
                              std::optional<double> otherwise) {
  const auto it = entry.find(key);
  if (it == entry.end() && otherwise.has_value()) return *otherwise;
  if (it == entry.end() || !it->is_number()) {
    return absl::InvalidArgumentError(
        absl::StrCat("price of ", model, ": ", key, " is missing; wants a number"));
  }
  const double value = it->get<double>();
  if (!(value >= 0 && value <= highest)) {
    return absl::InvalidArgumentError(
        absl::StrCat("price of ", model, ": ", key, " is ", value, "; wants 0..", highest));
  }
  return value;
}

}  // namespace

int64_t TokenPrice::MicroUsd(int64_t prompt_tokens, int64_t completion_tokens) const {
  const double cost =
      static_cast<double>(prompt_tokens) * input + static_cast<double>(completion_tokens) * output;
  // A product such as 100 * 0.15 lies a hair above 15 in binary: that is no reason to round up.
  return static_cast<int64_t>(std::ceil(cost * (1 - 1e-12)));
}

absl::StatusOr<PriceTable> PriceTable::FromJson(std::string_view text) {
  const Json file = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto models = file.is_object() ? file.find("models") : file.end();
  if (models == file.end() || !models->is_object()) {
    return absl::InvalidArgumentError(
        "the price file has no object \"models\"; wants {\"models\": {NAME: "
        "{\"input\": USD, \"output\": USD}}} for a million tokens");
  }
  PriceTable table;
  for (const auto& [name, entry] : models->items()) {
    if (!entry.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat("price of ", name, " is no object; wants input and output"));
    }
    TokenPrice price;
    IP2P_ASSIGN_OR_RETURN(price.input, Amount(entry, name, "input", kHighestPrice, std::nullopt));
    IP2P_ASSIGN_OR_RETURN(price.output, Amount(entry, name, "output", kHighestPrice, std::nullopt));
    IP2P_ASSIGN_OR_RETURN(price.batch_factor, Amount(entry, name, "batch_factor", 1, 0.5));
    table.prices_.emplace(name, price);
  }
  return table;
}

absl::StatusOr<PriceTable> PriceTable::Load(const std::string& path) {
  IP2P_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, "the price file", 1 << 20));
  return FromJson(text);
}

std::optional<TokenPrice> PriceTable::Find(std::string_view model) const {
  for (size_t length = model.size(); length > 0; --length) {
    if (!ContinuesName(model.substr(length))) continue;  // "-mini" and "-16k" are other models
    if (const auto it = prices_.find(model.substr(0, length)); it != prices_.end()) return it->second;
  }
  const auto other = prices_.find("*");
  return other == prices_.end() ? std::nullopt : std::optional(other->second);
}

}  // namespace ip2p
