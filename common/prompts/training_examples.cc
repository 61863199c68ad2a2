#include "common/prompts/training_examples.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/dataset/prompt.h"
#include "common/prompts/caption_text.h"
#include "common/prompts/chat_format.h"
#include "common/prompts/completion_format.h"

namespace ip2p {
namespace {

constexpr size_t kMaxTextBytes = 1000;
constexpr size_t kMaxFaultsShown = 20;

// What the completion format could not tell from its own marks.
constexpr absl::string_view kMarks[] = {"##", "%%", "\nEND"};

void CheckText(const char* name, const std::string& text, const std::string& where,
               std::vector<std::string>& faults) {
  if (text.size() > kMaxTextBytes) {
    faults.push_back(absl::StrCat(where, name, " is ", text.size(), " bytes; wants at most ", kMaxTextBytes));
  }
  const auto is_control = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
  if (std::any_of(text.begin(), text.end(), is_control)) {
    faults.push_back(absl::StrCat(where, name, " holds a control character or line break; wants one line"));
  }
  for (const absl::string_view mark : kMarks) {
    if (text.find(std::string(mark)) == std::string::npos) continue;
    faults.push_back(absl::StrCat(where, name, " holds the delimiter \"", absl::StripAsciiWhitespace(mark),
                                  "\"; wants none"));
  }
  if (absl::StripAsciiWhitespace(text).size() != text.size()) {
    faults.push_back(absl::StrCat(where, name, " has blanks around it; wants none"));
  }
}

void CheckExample(const Prompt& example, const std::string& where, std::set<std::string>& seen,
                  std::vector<std::string>& faults) {
  CheckText("input", example.caption, where, faults);
  CheckText("edit", example.edit, where, faults);
  CheckText("output", example.output, where, faults);
  if (NormalisedCaption(example.caption) == NormalisedCaption(example.output)) {
    faults.push_back(where + "output equals input; wants the caption after the edit");
  }
  const std::string key = NormalisedCaption(example.caption) + '\n' + NormalisedCaption(example.edit);
  if (!seen.insert(key).second) faults.push_back(where + "input and edit were there before; wants each once");
}

std::string TrainingLine(const Prompt& example, TrainingShape shape) {
  nlohmann::ordered_json line;
  if (shape == TrainingShape::kCompletion) {
    line["prompt"] = CompletionPrompt(example.caption);
    line["completion"] = CompletionText(example.edit, example.output);
  } else {
    line["messages"] = ChatMessages(example.caption);
    line["messages"].push_back(
        {{"role", "assistant"}, {"content", ChatAnswer(example.edit, example.output)}});
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

absl::Status AllOf(std::vector<std::string> faults) {
  const size_t all = faults.size();
  if (all > kMaxFaultsShown) {
    faults.resize(kMaxFaultsShown);
    faults.push_back(absl::StrCat("and ", all - kMaxFaultsShown, " more"));
  }
  return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
}

}  // namespace

absl::StatusOr<PreparedExamples> PrepareExamples(std::string_view examples, TrainingShape shape) {
  PreparedExamples prepared;
  std::vector<std::string> faults;
  std::set<std::string> seen;
  for (int64_t number = 1; !examples.empty(); ++number) {
    std::string_view line = examples.substr(0, examples.find('\n'));
    examples.remove_prefix(std::min(examples.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string where = absl::StrCat("line ", number, ": ");
    // What is no UTF-8 is no JSON either, so the texts are.
    const absl::StatusOr<Prompt> example = ParsePromptLine(line);
    if (!example.ok()) {
      faults.push_back(absl::StrCat(where, example.status().message()));
      continue;
    }
    CheckExample(*example, where, seen, faults);
    prepared.text += TrainingLine(*example, shape);
    ++prepared.examples;
  }
  if (prepared.examples == 0 && faults.empty())
    faults.emplace_back("there are no examples; wants one a line");
  if (!faults.empty()) return AllOf(std::move(faults));
  if (prepared.examples < kMinTrainingLines) {
    prepared.warnings.push_back(absl::StrCat("there are ", prepared.examples,
                                             " examples; providers want at least ", kMinTrainingLines));
  }
  return prepared;
}

}  // namespace ip2p
