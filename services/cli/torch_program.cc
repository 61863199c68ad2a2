#include "services/cli/torch_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "IP2P_TORCH_PROGRAM";

absl::Status Cannot(const fs::path& program, absl::string_view why) {
#if IP2P_TORCH_PARTS
  const char* const wanted = "; wants ip2p-torch beside ip2p, or where IP2P_TORCH_PROGRAM says";
#else
  const char* const wanted = "; wants a build with torch, which this one is not (IP2P_TORCH_PARTS=OFF)";
#endif
  return absl::FailedPreconditionError(
      absl::StrCat("this command needs torch, and ", program.string(), " cannot be run: ", why, wanted));
}

}  // namespace

absl::Status BecomeTorchProgram(const std::vector<std::string>& args) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const char* const named = std::getenv(kVariable);
  const fs::path program =
      named != nullptr && *named != '\0' ? fs::path(named) : self.parent_path() / "ip2p-torch";
  if (fs::equivalent(program, self, error)) return Cannot(program, "it is this program, without torch");
  std::vector<char*> argv;
  std::string name = "ip2p";
  argv.push_back(name.data());
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));  // execv's old promise
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  return Cannot(program, std::strerror(errno));
}

}  // namespace ip2p
