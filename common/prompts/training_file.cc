#include "common/prompts/training_file.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/prompts/chat_format.h"
#include "common/prompts/completion_format.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status Bad(const char* what) { return absl::InvalidArgumentError(what); }

absl::Status CheckCompletionLine(const Json& line) {
  IP2P_ASSIGN_OR_RETURN(const std::string prompt, TextOr(line, "prompt"));
  IP2P_ASSIGN_OR_RETURN(const std::string completion, TextOr(line, "completion"));
  if (!absl::EndsWith(prompt, View(kPromptEnd)) || prompt.size() == kPromptEnd.size()) {
    return Bad("prompt lacks its end; wants a caption and \"\\n##\\n\"");
  }
  if (!absl::EndsWith(completion, View(kCompletionEnd)) || !ParseCompletion(completion).has_value()) {
    return Bad("completion breaks the format; wants EDIT \"\\n%%\\n\" OUTPUT \"\\nEND\"");
  }
  return absl::OkStatus();
}

absl::Status CheckChatLine(const Json& line) {
  const auto messages = line.find("messages");
  if (messages == line.end() || !messages->is_array() || messages->size() < 2) {
    return Bad("messages are missing; wants a list that ends with the assistant's");
  }
  for (const Json& message : *messages) {
    const bool good = message.is_object() && message.contains("role") && message["role"].is_string() &&
                      message.contains("content") && message["content"].is_string();
    if (!good) return Bad("a message lacks role or content; wants two texts");
  }
  const Json& last = messages->back();
  if (last["role"] != "assistant") return Bad("the last message is not the assistant's; wants its answer");
  if (!ParseChatAnswer(last["content"].get_ref<const std::string&>()).has_value()) {
    return Bad("the answer breaks the format; wants {\"edit\": TEXT, \"output\": TEXT}");
  }
  return absl::OkStatus();
}

}  // namespace

TrainingShape ShapeFor(std::string_view base_model) {
  const absl::string_view name = View(base_model);
  const bool completion = absl::StartsWith(name, "davinci") || absl::StartsWith(name, "babbage") ||
                          absl::StartsWith(name, "ft:davinci") || absl::StartsWith(name, "ft:babbage");
  return completion ? TrainingShape::kCompletion : TrainingShape::kChat;
}

absl::Status CheckTrainingFile(std::string_view contents, TrainingShape shape, std::string_view name) {
  if (contents.size() > kMaxTrainingBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(View(name), " is ", contents.size(), " bytes; wants at most ", kMaxTrainingBytes));
  }
  int lines = 0;
  while (!contents.empty()) {
    const size_t end = contents.find('\n');
    std::string_view text = contents.substr(0, end);
    contents = end == std::string_view::npos ? std::string_view() : contents.substr(end + 1);
    ++lines;
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    const absl::StatusOr<Json> line = ParseJsonObject(text);
    const absl::Status status = !line.ok()                            ? line.status()
                                : shape == TrainingShape::kCompletion ? CheckCompletionLine(*line)
                                                                      : CheckChatLine(*line);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", lines, " of ", View(name), ": ", status.message()));
    }
  }
  if (lines < kMinTrainingLines) {
    return absl::InvalidArgumentError(
        absl::StrCat(View(name), " has ", lines, " lines; wants at least ", kMinTrainingLines));
  }
  return absl::OkStatus();
}

}  // namespace ip2p
