#include "common/base/model_settings.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace ip2p {
namespace {

constexpr size_t kLongestName = 64;

bool IsModelName(absl::string_view name) {
  if (name.empty() || name.size() > kLongestName) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

}  // namespace

std::vector<NamedModel> ReadNamedModels(const std::string& ckpt, const std::vector<std::string>& named,
                                        std::vector<std::string>& faults) {
  std::vector<NamedModel> models;
  if (!ckpt.empty()) models.push_back({"default", ckpt});
  for (const std::string& text : named) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    if (IsModelName(parts.first) && !parts.second.empty()) {
      models.push_back({parts.first, parts.second});
    } else {
      faults.push_back(absl::StrCat("model is \"", text, "\"; wants NAME=CHECKPOINT with a name of at most ",
                                    kLongestName, " [A-Za-z0-9._-]"));
    }
  }
  std::set<std::string> names;
  for (const NamedModel& model : models) {
    if (!names.insert(model.name).second)
      faults.push_back(absl::StrCat("model name \"", model.name, "\" is given twice; wants each once"));
  }
  return models;
}

}  // namespace ip2p
