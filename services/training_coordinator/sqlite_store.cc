#include "services/training_coordinator/sqlite_store.h"

#include <sqlite3.h>

#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/training_coordinator/record_json.h"

namespace ip2p::training_coordinator {
namespace {

constexpr int kSchemaVersion = 1;  // in PRAGMA user_version
constexpr char kSchema[] = R"(
  CREATE TABLE jobs(
    id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, request_id TEXT NOT NULL UNIQUE, record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE checkpoints(
    job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, step INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY(job_id, step)
  ) STRICT;
  PRAGMA user_version = 1;
)";

int Bind(sqlite3_stmt* statement, int at, const std::string& text) {
  return sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}
int Bind(sqlite3_stmt* statement, int at, int64_t number) {
  return sqlite3_bind_int64(statement, at, number);
}

std::string Column(sqlite3_stmt* statement, int at) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, at));
  return text == nullptr ? "" : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement, at)));
}

}  // namespace

// SQLite's own constant texts: its detailed ones may hold values.
absl::Status SqliteStore::Fault() const {
  const int code = sqlite3_errcode(database_);
  const std::string text = absl::StrCat("the job store fails: ", sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::AbortedError("the job store is held by another process; wants one coordinator a store");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    default:
      return absl::UnavailableError(text);
  }
}

absl::Status SqliteStore::Execute(const char* sql) {
  return sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus() : Fault();
}

template <typename OnRow>
absl::Status SqliteStore::Query(const char* sql, OnRow on_row) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) != SQLITE_OK) return Fault();
  const absl::Cleanup finalize = [statement] { sqlite3_finalize(statement); };
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) IP2P_RETURN_IF_ERROR(on_row(statement));
  return code == SQLITE_DONE ? absl::OkStatus() : Fault();
}

template <typename... Values>
absl::Status SqliteStore::Run(const char* sql, const Values&... values) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) != SQLITE_OK) return Fault();
  const absl::Cleanup finalize = [statement] { sqlite3_finalize(statement); };
  int at = 0;
  if (((Bind(statement, ++at, values) != SQLITE_OK) || ...)) return Fault();
  return sqlite3_step(statement) == SQLITE_DONE ? absl::OkStatus() : Fault();
}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (database == nullptr) return absl::ResourceExhaustedError("no memory for the job store");
  std::unique_ptr<SqliteStore> store(new SqliteStore(database));
  if (code != SQLITE_OK) return store->Fault();
  IP2P_RETURN_IF_ERROR(store->Prepare());
  return store;
}

SqliteStore::~SqliteStore() { sqlite3_close(database_); }

absl::Status SqliteStore::Prepare() {
  // The lock is taken by the first write and kept: a second coordinator is refused at its start.
  for (const char* pragma : {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
                             "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON", "BEGIN IMMEDIATE"}) {
    IP2P_RETURN_IF_ERROR(Execute(pragma));
  }
  int version = 0;
  absl::Status status = Query("PRAGMA user_version", [&version](sqlite3_stmt* row) {
    version = sqlite3_column_int(row, 0);
    return absl::OkStatus();
  });
  if (status.ok() && version > kSchemaVersion) {
    status = absl::FailedPreconditionError(absl::StrCat("the job store's schema is version ", version,
                                                        "; wants at most ", kSchemaVersion,
                                                        ", or a newer coordinator"));
  }
  if (status.ok() && version == 0) status = Execute(kSchema);
  if (status.ok()) return Execute("COMMIT");
  Execute("ROLLBACK").IgnoreError();
  return status;
}

absl::StatusOr<StoredState> SqliteStore::Load() {
  StoredState state;
  IP2P_RETURN_IF_ERROR(
      Query("SELECT record FROM jobs ORDER BY number", [&state](sqlite3_stmt* row) -> absl::Status {
        IP2P_ASSIGN_OR_RETURN(Job job, JobFromJson(Column(row, 0)));
        state.jobs.push_back(std::move(job));
        return absl::OkStatus();
      }));
  IP2P_RETURN_IF_ERROR(Query(
      "SELECT record FROM checkpoints ORDER BY job_id, step", [&state](sqlite3_stmt* row) -> absl::Status {
        IP2P_ASSIGN_OR_RETURN(CheckpointRecord checkpoint, CheckpointFromJson(Column(row, 0)));
        state.checkpoints.push_back(std::move(checkpoint));
        return absl::OkStatus();
      }));
  return state;
}

absl::Status SqliteStore::WriteAll(const StoreChange& change) {
  if (const std::optional<Job>& job = change.job) {
    IP2P_RETURN_IF_ERROR(
        Run("INSERT INTO jobs(id, number, request_id, record) VALUES(?, ?, ?, ?) "
            "ON CONFLICT(id) DO UPDATE SET record = excluded.record",
            job->id, job->number, job->request_id, ToJson(*job)));
  }
  for (const CheckpointRecord& checkpoint : change.checkpoints) {
    IP2P_RETURN_IF_ERROR(Run("INSERT OR REPLACE INTO checkpoints(job_id, step, record) VALUES(?, ?, ?)",
                             checkpoint.job_id, checkpoint.step, ToJson(checkpoint)));
  }
  for (const auto& [job_id, step] : change.erased_checkpoints) {
    IP2P_RETURN_IF_ERROR(Run("DELETE FROM checkpoints WHERE job_id = ? AND step = ?", job_id, step));
  }
  if (change.erased_job) IP2P_RETURN_IF_ERROR(Run("DELETE FROM jobs WHERE id = ?", *change.erased_job));
  return absl::OkStatus();
}

absl::Status SqliteStore::Write(const StoreChange& change) {
  IP2P_RETURN_IF_ERROR(Execute("BEGIN IMMEDIATE"));
  absl::Status status = WriteAll(change);
  if (status.ok()) status = Execute("COMMIT");
  if (!status.ok()) Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace ip2p::training_coordinator
