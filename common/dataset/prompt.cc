// The keys stand in one order, so that equal prompts are equal lines.
#include "common/dataset/prompt.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"

namespace ip2p {
namespace {

constexpr double kMicro = 1e6;

}  // namespace

std::string PromptLine(const Prompt& prompt) {
  nlohmann::ordered_json line;
  line["caption"] = prompt.caption;
  line["edit"] = prompt.edit;
  line["output"] = prompt.output;
  line["url"] = prompt.url;
  line["model"] = prompt.model;
  line["prompt_tokens"] = prompt.usage.prompt_tokens;
  line["completion_tokens"] = prompt.usage.completion_tokens;
  line["requests"] = prompt.usage.requests;
  line["cost_usd"] = static_cast<double>(prompt.usage.cost_micro_usd) / kMicro;
  return line.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<Prompt> ParsePromptLine(std::string_view line) {
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJsonObject(line));
  Prompt prompt;
  IP2P_ASSIGN_OR_RETURN(prompt.caption, TextOr(object, object.contains("caption") ? "caption" : "input"));
  IP2P_ASSIGN_OR_RETURN(prompt.edit, TextOr(object, "edit"));
  IP2P_ASSIGN_OR_RETURN(prompt.output, TextOr(object, "output"));
  IP2P_ASSIGN_OR_RETURN(prompt.url, TextOr(object, "url"));
  IP2P_ASSIGN_OR_RETURN(prompt.model, TextOr(object, "model"));
  for (const auto& [name, text] :
       {std::pair{"caption", &prompt.caption}, {"edit", &prompt.edit}, {"output", &prompt.output}}) {
    if (text->empty()) return absl::InvalidArgumentError(absl::StrCat(name, " is missing; wants a text"));
  }
  prompt.usage.prompt_tokens = NumberOr(object, "prompt_tokens");
  prompt.usage.completion_tokens = NumberOr(object, "completion_tokens");
  prompt.usage.requests = NumberOr(object, "requests");
  const auto cost = object.find("cost_usd");
  if (cost != object.end() && cost->is_number()) {
    const double micro = cost->get<double>() * kMicro;
    if (micro > 0 && micro < 1e15) prompt.usage.cost_micro_usd = std::llround(micro);
  }
  return prompt;
}

}  // namespace ip2p
