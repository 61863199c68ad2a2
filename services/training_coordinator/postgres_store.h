// JobStore in a PostgreSQL database: every write is one transaction, synchronous_commit on. An advisory lock
// of the session keeps a second coordinator out; the tables are ip2p_jobs, ip2p_checkpoints and ip2p_meta in
// the first schema of the search path.
//
// A connection that breaks is made again by the next call.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/training_coordinator/job_store.h"

struct pg_conn;
struct pg_result;

namespace ip2p::training_coordinator {

class PostgresStore final : public JobStore {
 public:
  // `dsn` as libpq takes it; never shown. Errors: ABORTED another coordinator holds the store,
  // FAILED_PRECONDITION its schema is of a newer version, UNAVAILABLE no connection.
  static absl::StatusOr<std::unique_ptr<PostgresStore>> Open(std::string dsn);
  ~PostgresStore() override = default;

  absl::StatusOr<StoredState> Load() override;
  absl::Status Write(const StoreChange& change) override;

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  struct Clear {
    void operator()(pg_result* result) const;
  };
  using Result = std::unique_ptr<pg_result, Clear>;

  explicit PostgresStore(std::string dsn) : dsn_(std::move(dsn)) {}
  absl::Status Connect();  // when there is no connection that works
  absl::Status Prepare();
  absl::StatusOr<Result> Run(const char* sql, const std::vector<std::string>& values = {});
  absl::Status WriteAll(const StoreChange& change, const std::string& mark);
  // The connection broke after COMMIT was sent: did it happen?
  absl::Status AfterLostCommit(const std::string& mark);

  const std::string dsn_;
  std::unique_ptr<pg_conn, Finish> connection_;
};

}  // namespace ip2p::training_coordinator
