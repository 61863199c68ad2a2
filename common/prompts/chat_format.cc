#include "common/prompts/chat_format.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "common/dataset/json_text.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

// Large moves are left out because Prompt-to-Prompt, which draws the pair, keeps the layout of the picture.
constexpr const char* kTask =
    "You write training data for a photo editor that follows instructions. You get the caption of a picture. "
    "Invent one edit of that picture and answer with a JSON object of two strings: \"edit\" is the "
    "instruction as "
    "a person would type it, short and imperative; \"output\" is the caption of the edited picture: the "
    "given "
    "caption with only what the edit changes changed. Vary the kind of edit: swap, add or remove an object, "
    "change material, colour, season, weather, time of day, place, mood or artistic style. Keep the layout: "
    "don't move, turn, resize or recount things. The output must differ from the caption.";

Json Message(const char* role, std::string_view content) { return {{"role", role}, {"content", content}}; }

}  // namespace

Json ChatMessages(std::string_view caption) {
  return Json::array({Message("system", kTask), Message("user", caption)});
}

std::string ChatAnswer(std::string_view edit, std::string_view output) {
  nlohmann::ordered_json answer;
  answer["edit"] = edit;
  answer["output"] = output;
  return answer.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

const Json& ChatResponseFormat() {
  static const auto* const kFormat =
      new Json{{"type", "json_schema"},
               {"json_schema",
                {{"name", "edit"},
                 {"strict", true},
                 {"schema",
                  {{"type", "object"},
                   {"properties", {{"edit", {{"type", "string"}}}, {"output", {{"type", "string"}}}}},
                   {"required", Json::array({"edit", "output"})},
                   {"additionalProperties", false}}}}}};
  return *kFormat;
}

std::optional<WrittenEdit> ParseChatAnswer(std::string_view text) {
  absl::string_view body = absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size()));
  if (absl::ConsumePrefix(&body, "```")) {
    absl::ConsumePrefix(&body, "json");
    absl::ConsumeSuffix(&body, "```");
  }
  const absl::StatusOr<Json> answer = ParseJsonObject({body.data(), body.size()});
  if (!answer.ok()) return std::nullopt;
  const auto edit = answer->find("edit");
  const auto output = answer->find("output");
  if (edit == answer->end() || output == answer->end() || !edit->is_string() || !output->is_string()) {
    return std::nullopt;
  }
  return CleanEdit(edit->get_ref<const std::string&>(), output->get_ref<const std::string&>());
}

}  // namespace ip2p
