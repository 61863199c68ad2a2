#include "common/openai/api_key.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

constexpr size_t kWindow = sizeof(uint64_t);
constexpr size_t kMaxKeyBytes = 512;
constexpr const char* kVariable = "OPENAI_API_KEY";

uint64_t WindowAt(std::string_view text, size_t at) {
  uint64_t window = 0;
  std::memcpy(&window, text.data() + at, kWindow);
  return window;
}

}  // namespace

absl::StatusOr<ApiKey> ApiKey::FromText(std::string_view text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (text.size() < kWindow || text.size() > kMaxKeyBytes || !printable) {
    return absl::InvalidArgumentError(absl::StrCat("the API key has ", text.size(), " bytes",
                                                   printable ? "" : " and odd characters",
                                                   "; wants 8..512 printable characters without blanks"));
  }
  auto secret = std::make_shared<Secret>();
  secret->text = std::string(text);
  for (size_t i = 0; i + kWindow <= text.size(); ++i) secret->windows.insert(WindowAt(text, i));
  return ApiKey(std::move(secret));
}

absl::StatusOr<ApiKey> ApiKey::Load(const std::string& file) {
  std::string text;
  if (const char* variable = std::getenv(kVariable); variable != nullptr) text = variable;
  unsetenv(kVariable);  // children and crash reports have no use for it
  if (!file.empty()) {
    IP2P_ASSIGN_OR_RETURN(text, ReadTextFile(file, "the API key file", 4096));
  }
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  if (trimmed.empty() && file.empty()) return ApiKey();
  return FromText({trimmed.data(), trimmed.size()});
}

std::string ApiKey::AuthorizationHeader() const {
  return empty() ? std::string() : absl::StrCat("Bearer ", secret_->text);
}

bool ApiKey::IsIn(std::string_view text) const {
  if (empty()) return false;
  for (size_t i = 0; i + kWindow <= text.size(); ++i) {
    if (secret_->windows.contains(WindowAt(text, i))) return true;
  }
  return false;
}

std::string ApiKey::Scrub(std::string_view text) const {
  std::string clean;
  clean.reserve(text.size());
  size_t i = 0;
  while (i < text.size()) {
    size_t end = i;  // of the passage of the key that begins here
    while (!empty() && end + kWindow <= text.size() && secret_->windows.contains(WindowAt(text, end))) ++end;
    if (end == i) {
      clean.push_back(text[i++]);
    } else {
      clean += "[key]";
      i = end + kWindow - 1;
    }
  }
  return clean;
}

}  // namespace ip2p
