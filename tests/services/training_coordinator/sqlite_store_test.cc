#include "services/training_coordinator/sqlite_store.h"

#include <sqlite3.h>

#include <cmath>

#include "gmock/gmock.h"
#include "services/training_coordinator/record_json.h"
#include "tests/fakes/temp_folder.h"
#include "tests/services/training_coordinator/store_cases.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::HasSubstr;

class SqliteStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteStore> Open() {
    auto store = SqliteStore::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  void Execute(const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  TempFolder folder_;
  const std::string path_ = folder_.In("jobs.sqlite");
};

TEST_F(SqliteStoreTest, KeepsEverything) { KeepsEverything(*Open()); }

TEST_F(SqliteStoreTest, RefusesAsAWhole) { RefusesAsAWhole(*Open()); }

TEST_F(SqliteStoreTest, OutlivesItsProcess) {
  ASSERT_TRUE(Open()->Write({.job = FullJob("first", 1)}).ok());
  const auto state = Open()->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(state->jobs.at(0) == FullJob("first", 1));
}

TEST_F(SqliteStoreTest, OneProcessAtATime) {
  const auto store = Open();
  EXPECT_TRUE(absl::IsAborted(SqliteStore::Open(path_).status()));
}

TEST_F(SqliteStoreTest, WhatItCannotReadIsRefused) {
  Open();
  Execute("PRAGMA user_version = 2");
  EXPECT_TRUE(absl::IsFailedPrecondition(SqliteStore::Open(path_).status()));
  EXPECT_THAT(std::string(SqliteStore::Open(path_).status().message()),
              HasSubstr("version 2; wants at most 1"));
  Execute("PRAGMA user_version = 1; INSERT INTO jobs VALUES('x', 1, 'r', '{\"id\": 5}')");
  EXPECT_TRUE(absl::IsDataLoss(Open()->Load().status()));
  folder_.Write("jobs.sqlite", std::string(4096, 'x'));
  EXPECT_TRUE(absl::IsDataLoss(SqliteStore::Open(path_).status()));
}

TEST(RecordJsonTest, ALossThatIsNoNumberIsKept) {
  Job job = FullJob("a", 1);
  job.figures->loss = std::nan("");
  const auto read = JobFromJson(ToJson(job));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(std::isnan(read->figures->loss));
}

TEST(RecordJsonTest, DamageIsDataLoss) {
  for (const char* text :
       {"", "[]", "{}", R"({"id":"a","state":9})", R"({"id":"a","spec":"%"})", R"({"id":"a","slots":["x"]})",
        R"({"id":"a","ends":[{"rank":0,"outcome":7}]})", R"({"id":"a","figures":5})"}) {
    EXPECT_TRUE(absl::IsDataLoss(JobFromJson(text).status())) << text;
  }
  EXPECT_TRUE(absl::IsDataLoss(CheckpointFromJson("{}").status()));
}

}  // namespace
}  // namespace ip2p::training_coordinator
