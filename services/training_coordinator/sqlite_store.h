// JobStore in one SQLite file: WAL, synchronous FULL, held exclusively as long as the store is open.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/training_coordinator/job_store.h"

struct sqlite3;

namespace ip2p::training_coordinator {

class SqliteStore final : public JobStore {
 public:
  // Makes the file when there is none. Errors: ABORTED another process has it open, FAILED_PRECONDITION its
  // schema is of a newer version, DATA_LOSS no database or a damaged one, RESOURCE_EXHAUSTED, UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path);
  ~SqliteStore() override;

  absl::StatusOr<StoredState> Load() override;
  absl::Status Write(const StoreChange& change) override;

 private:
  explicit SqliteStore(sqlite3* database) : database_(database) {}
  absl::Status Prepare();
  absl::Status WriteAll(const StoreChange& change);
  absl::Status Execute(const char* sql);
  // One statement with its texts and numbers bound in order.
  template <typename... Values>
  absl::Status Run(const char* sql, const Values&... values);
  template <typename OnRow>
  absl::Status Query(const char* sql, OnRow on_row);
  absl::Status Fault() const;

  sqlite3* const database_;
};

}  // namespace ip2p::training_coordinator
