// Against a server that this test starts, stops and takes connections from.
#include "services/training_coordinator/postgres_store.h"

#include "gmock/gmock.h"
#include "tests/services/training_coordinator/postgres_server.h"
#include "tests/services/training_coordinator/store_cases.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PostgresStoreTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!PostgresServer::Programs().empty()) server_ = new PostgresServer;
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << "PostgreSQL is not installed (deploy/setup.sh --tests)";
    ASSERT_TRUE(server_->started());
    ASSERT_TRUE(server_->Execute("DROP TABLE IF EXISTS ip2p_checkpoints, ip2p_jobs, ip2p_meta"));
  }
  static std::unique_ptr<PostgresStore> Open() {
    auto store = PostgresStore::Open(server_->dsn());
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  static PostgresServer* server_;
};
PostgresServer* PostgresStoreTest::server_ = nullptr;

TEST_F(PostgresStoreTest, KeepsEverything) { KeepsEverything(*Open()); }

TEST_F(PostgresStoreTest, RefusesAsAWhole) { RefusesAsAWhole(*Open()); }

TEST_F(PostgresStoreTest, OutlivesItsProcessAndItsServer) {
  ASSERT_TRUE(Open()->Write({.job = FullJob("first", 1)}).ok());
  ASSERT_TRUE(server_->Stop("immediate"));  // as if the machine had stopped
  ASSERT_TRUE(server_->Start());
  const auto state = Open()->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(state->jobs.at(0) == FullJob("first", 1));
}

TEST_F(PostgresStoreTest, OneCoordinatorAtATime) {
  const auto store = Open();
  EXPECT_TRUE(absl::IsAborted(PostgresStore::Open(server_->dsn()).status()));
}

TEST_F(PostgresStoreTest, ABrokenConnectionIsMadeAgain) {
  const auto store = Open();
  ASSERT_TRUE(store->Write({.job = FullJob("first", 1)}).ok());
  ASSERT_TRUE(server_->Stop("fast"));
  EXPECT_TRUE(absl::IsUnavailable(store->Write({.job = FullJob("second", 2)})));
  EXPECT_TRUE(absl::IsUnavailable(store->Write({.job = FullJob("second", 2)})));
  ASSERT_TRUE(server_->Start());
  EXPECT_TRUE(store->Write({.job = FullJob("second", 2)}).ok());
  EXPECT_EQ(store->Load()->jobs.size(), 2);
}

TEST_F(PostgresStoreTest, ANewerSchemaIsRefused) {
  Open();
  ASSERT_TRUE(server_->Execute("UPDATE ip2p_meta SET value = 2"));
  EXPECT_TRUE(absl::IsFailedPrecondition(PostgresStore::Open(server_->dsn()).status()));
}

TEST(PostgresFaultTest, NoServerIsUnavailableAndTheDsnIsNotShown) {
  const absl::Status status = PostgresStore::Open("host=/nowhere password=canary").status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(status.ToString(), Not(HasSubstr("canary")));
  EXPECT_THAT(status.ToString(), Not(HasSubstr("nowhere")));
}

}  // namespace
}  // namespace ip2p::training_coordinator
