// ip2p: the one command-line client.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/base/signals.h"
#include "services/cli/cli.h"

namespace {

int TerminalColumns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// As the C library judges by the locale's variables.
bool TerminalShowsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string locale = absl::AsciiStrToLower(value);
    return absl::StrContains(locale, "utf-8") || absl::StrContains(locale, "utf8");
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  ::setenv("GRPC_VERBOSITY", "NONE", 0);  // its log lines would tear the progress bar
  ip2p::Cancellation cancellation;
  const ip2p::SignalWaiter waiter([&cancellation](int) { cancellation.Cancel(); });
  ip2p::Console console{.in = std::cin,
                        .out = std::cout,
                        .err = std::cerr,
                        .terminal = ::isatty(STDERR_FILENO) == 1,
                        .columns = TerminalColumns(),
                        .unicode = TerminalShowsUtf8(),
                        .cancellation = cancellation,
                        .torch = ip2p::TorchVerbsHere()};
  return ip2p::RunCli(std::vector<std::string>(argv + 1, argv + argc), console);
}
