// Runs the client inside of the test with its streams as strings, in an empty folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "services/cli/cli.h"
#include "services/cli/exit_codes.h"

namespace ip2p::testing {

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    std::string name = ::testing::TempDir() + "/cli.XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~CliTest() override { std::filesystem::remove_all(folder_); }

  int Run(const std::vector<std::string>& args) {
    out_.str("");
    err_.str("");
    std::istringstream in(stdin_);
    Console console{.in = in,
                    .out = out_,
                    .err = err_,
                    .terminal = terminal_,
                    .cancellation = cancellation_,
                    .torch = torch_,
                    .become_torch = [this](const std::vector<std::string>& passed) {
                      passed_on_ = passed;
                      return absl::OkStatus();
                    }};
    return RunCli(args, console);
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string Put(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }

  std::string Get(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  bool Exists(const std::string& name) const { return std::filesystem::exists(Path(name)); }

  size_t FilesInFolder() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::string stdin_;
  std::ostringstream out_, err_;
  bool terminal_ = false;
  int exits_ = 0;
  Cancellation cancellation_{[this] { ++exits_; }};
  const TorchVerbs* torch_ = &kNoEngine;
  std::vector<std::string> passed_on_;  // the arguments with which ip2p-torch would have been started

 private:
  static constexpr TorchVerbs kNoEngine{
      .create_engine = [](const ModelSource&,
                          const EngineOptions&) -> absl::StatusOr<std::unique_ptr<EditEngine>> {
        return absl::UnimplementedError("no engine in this test");
      }};

  std::string folder_;
};

// Sets a variable while it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace ip2p::testing
