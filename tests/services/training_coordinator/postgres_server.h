// Debian's PostgreSQL on a unix socket in a folder of its own, for as long as this object lives. It runs as
// the user postgres when the test runs as root, whom it refuses.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::training_coordinator {

class PostgresServer {
 public:
  // The folder of its programs; empty when it isn't installed.
  static std::string Programs() {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", error)) {
      if (std::filesystem::exists(entry.path() / "bin/postgres")) return (entry.path() / "bin").string();
    }
    return "";
  }

  PostgresServer() {
    if (geteuid() == 0) Shell(absl::StrCat("chown postgres ", folder_.path()));
    started_ =
        As(absl::StrCat("initdb -D ", Data(), " -U coordinator -A trust --no-sync --no-instructions")) &&
        Start();
  }
  ~PostgresServer() { Stop("immediate"); }

  bool started() const { return started_; }
  std::string dsn() const {
    return absl::StrCat("host=", folder_.path(), " user=coordinator dbname=postgres");
  }
  bool Start() {
    return As(absl::StrCat("pg_ctl -D ", Data(), " -w -l ", folder_.In("log"),
                           " -o \"-c listen_addresses='' -k ", folder_.path(), "\" start"));
  }
  bool Stop(const char* mode) { return As(absl::StrCat("pg_ctl -D ", Data(), " -w -m ", mode, " stop")); }
  // One statement of an administrator.
  bool Execute(const std::string& sql) {
    return As(absl::StrCat("psql -h ", folder_.path(), " -U coordinator -q -d postgres -c \"", sql, "\""));
  }

 private:
  static bool Shell(const std::string& command) {
    return std::system(absl::StrCat("cd / && ", command, " >/dev/null 2>&1").c_str()) == 0;
  }
  static bool As(const std::string& command) {
    const std::string whole = absl::StrCat("PATH=", Programs(), ":$PATH; ", command);
    if (geteuid() != 0) return Shell(whole);
    std::string quoted;
    for (const char c : whole) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return Shell(absl::StrCat("runuser -u postgres -- sh -c '", quoted, "'"));
  }
  std::string Data() const { return folder_.In("data"); }

  TempFolder folder_;
  bool started_ = false;
};

}  // namespace ip2p::training_coordinator
