// A write leaves a mark in ip2p_meta, by which a commit whose answer was lost is recognised afterwards.
#include "services/training_coordinator/postgres_store.h"

#include <libpq-fe.h>

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "services/training_coordinator/record_json.h"

namespace ip2p::training_coordinator {
namespace {

constexpr int kSchemaVersion = 1;
constexpr char kLock[] = "SELECT pg_try_advisory_lock(7017280452245743464)";  // any number, always the same
constexpr char kSchema[] = R"(
  CREATE TABLE IF NOT EXISTS ip2p_meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS ip2p_jobs(
    id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, request_id TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS ip2p_checkpoints(
    job_id TEXT NOT NULL REFERENCES ip2p_jobs(id) ON DELETE CASCADE, step BIGINT NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY(job_id, step));
  INSERT INTO ip2p_meta VALUES('schema_version', '1'), ('last_write', '') ON CONFLICT DO NOTHING;
)";

// Only the standard's five characters: the server's own texts may hold values.
absl::Status Fault(const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state == nullptr) return absl::UnavailableError("the job store's connection is lost");
  const std::string text = absl::StrCat("the job store fails: SQLSTATE ", state);
  if (std::strncmp(state, "53", 2) == 0) return absl::ResourceExhaustedError(text);  // disk, memory
  return absl::UnavailableError(text);
}

std::string Cell(const PGresult* result, int row) { return PQgetvalue(result, row, 0); }

}  // namespace

void PostgresStore::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }
void PostgresStore::Clear::operator()(pg_result* result) const { PQclear(result); }

absl::StatusOr<PostgresStore::Result> PostgresStore::Run(const char* sql,
                                                         const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  // Without values several statements may stand in one text.
  Result result(values.empty() ? PQexec(connection_.get(), sql)
                               : PQexecParams(connection_.get(), sql, static_cast<int>(values.size()),
                                              nullptr, pointers.data(), nullptr, nullptr, 0));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return Fault(result.get());
  return result;
}

absl::StatusOr<std::unique_ptr<PostgresStore>> PostgresStore::Open(std::string dsn) {
  std::unique_ptr<PostgresStore> store(new PostgresStore(std::move(dsn)));
  IP2P_RETURN_IF_ERROR(store->Connect());
  return store;
}

absl::Status PostgresStore::Connect() {
  if (connection_ != nullptr && PQstatus(connection_.get()) == CONNECTION_OK) return absl::OkStatus();
  // What the text says itself counts more than what stands before it here.
  const char* const keys[] = {"connect_timeout",  "tcp_user_timeout", "keepalives_idle",
                              "application_name", "dbname",           nullptr};
  const char* const values[] = {"5", "10000", "10", "ip2p_training_coordinator", dsn_.c_str(), nullptr};
  connection_.reset(PQconnectdbParams(keys, values, /*expand_dbname=*/1));
  if (connection_ == nullptr || PQstatus(connection_.get()) != CONNECTION_OK) {
    connection_.reset();
    return absl::UnavailableError(
        "the job store can't be reached; wants a PostgreSQL server at the given DSN");
  }
  absl::Status status = Prepare();
  if (!status.ok()) connection_.reset();
  return status;
}

absl::Status PostgresStore::Prepare() {
  IP2P_RETURN_IF_ERROR(Run("SET client_min_messages TO warning; SET synchronous_commit TO on; "
                           "SET statement_timeout TO '10s'")
                           .status());
  IP2P_ASSIGN_OR_RETURN(const Result lock, Run(kLock));
  if (Cell(lock.get(), 0) != "t") {
    return absl::AbortedError("the job store is held by another process; wants one coordinator a store");
  }
  IP2P_RETURN_IF_ERROR(Run(kSchema).status());
  IP2P_ASSIGN_OR_RETURN(const Result found, Run("SELECT value FROM ip2p_meta WHERE key = 'schema_version'"));
  int version = 0;
  if (!absl::SimpleAtoi(Cell(found.get(), 0), &version) || version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the job store's schema is version ",
                                                      Cell(found.get(), 0), "; wants at most ",
                                                      kSchemaVersion, ", or a newer coordinator"));
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredState> PostgresStore::Load() {
  IP2P_RETURN_IF_ERROR(Connect());
  StoredState state;
  IP2P_ASSIGN_OR_RETURN(const Result jobs, Run("SELECT record FROM ip2p_jobs ORDER BY number"));
  for (int row = 0; row < PQntuples(jobs.get()); ++row) {
    IP2P_ASSIGN_OR_RETURN(Job job, JobFromJson(Cell(jobs.get(), row)));
    state.jobs.push_back(std::move(job));
  }
  IP2P_ASSIGN_OR_RETURN(const Result checkpoints,
                        Run("SELECT record FROM ip2p_checkpoints ORDER BY job_id, step"));
  for (int row = 0; row < PQntuples(checkpoints.get()); ++row) {
    IP2P_ASSIGN_OR_RETURN(CheckpointRecord checkpoint, CheckpointFromJson(Cell(checkpoints.get(), row)));
    state.checkpoints.push_back(std::move(checkpoint));
  }
  return state;
}

absl::Status PostgresStore::WriteAll(const StoreChange& change, const std::string& mark) {
  if (const std::optional<Job>& job = change.job) {
    IP2P_RETURN_IF_ERROR(Run("INSERT INTO ip2p_jobs(id, number, request_id, record) VALUES($1, $2, $3, $4) "
                             "ON CONFLICT(id) DO UPDATE SET record = excluded.record",
                             {job->id, absl::StrCat(job->number), job->request_id, ToJson(*job)})
                             .status());
  }
  for (const CheckpointRecord& checkpoint : change.checkpoints) {
    IP2P_RETURN_IF_ERROR(Run("INSERT INTO ip2p_checkpoints(job_id, step, record) VALUES($1, $2, $3) "
                             "ON CONFLICT(job_id, step) DO UPDATE SET record = excluded.record",
                             {checkpoint.job_id, absl::StrCat(checkpoint.step), ToJson(checkpoint)})
                             .status());
  }
  for (const auto& [job_id, step] : change.erased_checkpoints) {
    IP2P_RETURN_IF_ERROR(
        Run("DELETE FROM ip2p_checkpoints WHERE job_id = $1 AND step = $2", {job_id, absl::StrCat(step)})
            .status());
  }
  if (change.erased_job) {
    IP2P_RETURN_IF_ERROR(Run("DELETE FROM ip2p_jobs WHERE id = $1", {*change.erased_job}).status());
  }
  return Run("UPDATE ip2p_meta SET value = $1 WHERE key = 'last_write'", {mark}).status();
}

absl::Status PostgresStore::Write(const StoreChange& change) {
  IP2P_RETURN_IF_ERROR(Connect());
  const std::string mark = RandomRequestId();
  absl::Status status = Run("BEGIN").status();
  if (status.ok()) status = WriteAll(change, mark);
  if (!status.ok()) {
    Run("ROLLBACK").status().IgnoreError();
    return status;
  }
  status = Run("COMMIT").status();
  if (status.ok() || PQstatus(connection_.get()) == CONNECTION_OK) return status;
  return AfterLostCommit(mark);
}

absl::Status PostgresStore::AfterLostCommit(const std::string& mark) {
  // The lock that Connect takes says that the former session is over, so nothing of it is still under way.
  if (const absl::Status connected = Connect(); !connected.ok()) {
    return absl::AbortedError("the job store's connection was lost while it committed");
  }
  const absl::StatusOr<Result> last = Run("SELECT value FROM ip2p_meta WHERE key = 'last_write'");
  if (!last.ok()) return absl::AbortedError("the job store's connection was lost while it committed");
  if (Cell(last->get(), 0) == mark) return absl::OkStatus();
  return absl::UnavailableError("the job store's connection was lost; nothing was changed");
}

}  // namespace ip2p::training_coordinator
