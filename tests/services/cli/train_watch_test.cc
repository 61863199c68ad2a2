// `ip2p train watch` and `logs`: what is drawn, how they end, streams that break off.
#include <gmock/gmock.h>

#include "absl/strings/str_split.h"
#include "common/base/json.h"
#include "services/cli/log_mark.h"
#include "services/cli/sparkline.h"
#include "services/cli/train_text.h"
#include "tests/services/cli/train_fixture.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing::TrainTest;

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "the coordinator is stopping; try again");

TEST_F(TrainTest, WatchTellsStatesAndEndsWithTheJob) {
  v1::Job queued = JobAt(v1::JOB_STATE_QUEUED, 0);
  queued.set_queue_position(1);
  v1::Job restarting = JobAt(v1::JOB_STATE_RESTARTING, 500);
  restarting.set_restarts(2);
  service_.watches = {
      {{Event(queued), Event(JobAt(v1::JOB_STATE_RUNNING, 400)), Event(JobAt(v1::JOB_STATE_RUNNING, 500)),
        Event(restarting), Event(JobAt(v1::JOB_STATE_SUCCEEDED, 1000))},
       grpc::Status::OK}};
  ASSERT_EQ(Train({"watch", "first-ab12", "--interval-ms", "0"}), kExitOk) << err_.str();
  EXPECT_EQ(err_.str(),
            "queued, place 1\n"
            "running: step 400 of 1000, loss 0.25, 16 samples/s, 12:30 left\n"
            "restarting, 2 of 10 restarts: step 500 of 1000, loss 0.2\n"
            "succeeded: step 1000 of 1000, loss 0.1\n");
  EXPECT_EQ(out_.str(), "first-ab12 succeeded: step 1000 of 1000, loss 0.1\n");
  EXPECT_EQ(service_.watched.job_id(), "first-ab12");
  EXPECT_TRUE(service_.watched.has_min_interval_ms());
}

TEST_F(TrainTest, WatchEndsAsTheJobDoes) {
  v1::Job failed = JobAt(v1::JOB_STATE_FAILED, 500);
  failed.set_error("rank 1 left: the disk is full");
  service_.watches = {{{Event(failed)}, grpc::Status::OK}};
  EXPECT_EQ(Train({"watch", "first-ab12"}), kExitInternal);
  EXPECT_THAT(err_.str(), HasSubstr("ip2p: job first-ab12 failed: rank 1 left: the disk is full\n"));
  EXPECT_EQ(out_.str(), "");
  service_.watches = {{{Event(JobAt(v1::JOB_STATE_CANCELLED, 500))}, grpc::Status::OK}};
  EXPECT_EQ(Train({"watch", "first-ab12"}), kExitCancelled);
  EXPECT_THAT(err_.str(), HasSubstr("was cancelled"));
  service_.watches = {{{}, {grpc::StatusCode::NOT_FOUND, "there is no job x"}}};
  EXPECT_EQ(Train({"watch", "x"}), kExitBadInput);
}

TEST_F(TrainTest, WatchDrawsABarAndTheLossOnATerminal) {
  terminal_ = true;
  for (const int step : {100, 200, 400, 500}) {
    if (service_.watches.empty()) service_.watches.emplace_back();
    service_.watches[0].events.push_back(Event(JobAt(v1::JOB_STATE_RUNNING, step)));
  }
  service_.watches[0].events.push_back(Event(JobAt(v1::JOB_STATE_SUCCEEDED, 500)));
  ASSERT_EQ(Train({"watch", "first-ab12"}), kExitOk) << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr("\rrunning [####"));
  EXPECT_THAT(err_.str(), HasSubstr("  500/1000  loss 0.2  16 samples/s  12:30 left  █▄▁▁"));
  EXPECT_EQ(err_.str().back(), '\n');
  const std::vector<std::string> lines = absl::StrSplit(err_.str(), '\r');
  for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), 80u);
}

TEST_F(TrainTest, WatchAsJsonIsALineAMessage) {
  service_.watches = {
      {{Event(JobAt(v1::JOB_STATE_RUNNING, 500)), Event(JobAt(v1::JOB_STATE_SUCCEEDED, 1000))},
       grpc::Status::OK}};
  ASSERT_EQ(Train({"watch", "first-ab12", "--json"}), kExitOk) << err_.str();
  const std::vector<std::string> lines = absl::StrSplit(out_.str(), '\n');
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(nlohmann::json::parse(lines[0])["metrics"]["step"], "500");
  EXPECT_EQ(nlohmann::json::parse(lines[1])["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(TrainTest, WatchGoesOnWhenTheCoordinatorIsBack) {
  service_.watches = {
      {{Event(JobAt(v1::JOB_STATE_RUNNING, 400))}, kAway},
      {{}, kAway},
      {{}, {grpc::StatusCode::CANCELLED, "cut off"}},
      {{Event(JobAt(v1::JOB_STATE_RUNNING, 500)), Event(JobAt(v1::JOB_STATE_SUCCEEDED, 1000))},
       grpc::Status::OK}};
  ASSERT_EQ(Train({"watch", "first-ab12"}), kExitOk) << err_.str();
  EXPECT_THAT(err_.str(),
              HasSubstr("the coordinator is away (the coordinator is stopping; try again); trying again\n"
                        "the coordinator is back\n"));
}

TEST_F(TrainTest, WatchGivesUpInTheEnd) {
  service_.watches = {{{Event(JobAt(v1::JOB_STATE_RUNNING, 400))}, kAway}, {{}, kAway}};
  EXPECT_EQ(Train({"watch", "first-ab12", "--reconnect-seconds", "1"}), kExitUnavailable);
  service_.watches = {
      {{Event(JobAt(v1::JOB_STATE_RUNNING, 400))}, {grpc::StatusCode::UNAUTHENTICATED, "no token"}}};
  EXPECT_EQ(Train({"watch", "first-ab12"}), kExitDenied);
  service_.watches = {{{Event(JobAt(v1::JOB_STATE_RUNNING, 400))}, {grpc::StatusCode::CANCELLED, "cut off"}}};
  EXPECT_EQ(Train({"watch", "first-ab12", "--reconnect-seconds", "0"}), kExitUnavailable);
}

TEST_F(TrainTest, CtrlCEndsTheWatchNotTheJob) {
  service_.watches = {{{Event(JobAt(v1::JOB_STATE_RUNNING, 400))}, kAway}};
  service_.on_watched = [this] { cancellation_.Cancel(); };
  EXPECT_EQ(Train({"watch", "first-ab12"}), kExitCancelled);
  EXPECT_THAT(err_.str(), HasSubstr("the job goes on (ip2p train cancel first-ab12 ends it)"));
  EXPECT_EQ(service_.cancelled.job_id(), "");
  EXPECT_EQ(exits_, 0);
}

TEST_F(TrainTest, StartMayGoOnWatching) {
  service_.watches = {{{Event(JobAt(v1::JOB_STATE_SUCCEEDED, 1000))}, grpc::Status::OK}};
  ASSERT_EQ(Train({"start", "--watch"}), kExitOk) << err_.str();
  EXPECT_EQ(out_.str(), "first-ab12\nfirst-ab12 succeeded: step 1000 of 1000, loss 0.1\n");
  ASSERT_EQ(Train({"start", "--watch", "--json"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["id"], "first-ab12");
}

v1::StreamLogsResponse Lines(const std::vector<std::pair<int, std::string>>& rank_and_text,
                             int64_t first_second) {
  v1::StreamLogsResponse part;
  for (const auto& [rank, text] : rank_and_text) {
    v1::LogLine& line = *part.add_lines();
    line.mutable_time()->set_seconds(first_second++);
    line.mutable_time()->set_nanos(250'000'000);
    line.set_rank(rank);
    line.set_text(text);
  }
  return part;
}

TEST_F(TrainTest, Logs) {
  service_.logs = {{{Lines({{0, "one"}, {1, "two"}}, 1'700'000'000)}, grpc::Status::OK}};
  ASSERT_EQ(Train({"logs", "first-ab12", "--rank", "1", "--tail", "20"}), kExitOk) << err_.str();
  EXPECT_EQ(out_.str(), "2023-11-14 22:13:20.250 rank 0  one\n2023-11-14 22:13:21.250 rank 1  two\n");
  ASSERT_EQ(service_.log_requests.size(), 1u);
  EXPECT_EQ(service_.log_requests[0].rank(), 1);
  EXPECT_EQ(service_.log_requests[0].tail(), 20);
  EXPECT_FALSE(service_.log_requests[0].follow());
  ASSERT_EQ(Train({"logs", "first-ab12", "--json"}), kExitOk);
  const std::vector<std::string> lines = absl::StrSplit(out_.str(), '\n');
  EXPECT_EQ(nlohmann::json::parse(lines[1])["text"], "two");
  EXPECT_FALSE(service_.log_requests[1].has_rank());
  EXPECT_FALSE(service_.log_requests[1].has_tail());
  EXPECT_EQ(Train({"logs", "first-ab12", "--tail", "-1"}), kExitUsage);
  service_.logs = {{{Lines({{0, "one"}}, 1)}, kAway}};
  EXPECT_EQ(Train({"logs", "first-ab12"}), kExitUnavailable) << "what is not followed is not tried again";
}

TEST_F(TrainTest, FollowedLogsTellEachLineOnce) {
  service_.logs = {{{Lines({{0, "one"}, {1, "two"}}, 100)}, kAway},
                   {{}, kAway},
                   {{Lines({{0, "one"}, {1, "two"}, {0, "three"}, {2, "four"}}, 100)}, grpc::Status::OK}};
  ASSERT_EQ(Train({"logs", "first-ab12", "-f", "--tail", "2"}), kExitOk) << err_.str();
  std::vector<std::string> texts;
  for (const absl::string_view line : absl::StrSplit(out_.str(), '\n', absl::SkipEmpty())) {
    texts.emplace_back(line.substr(line.rfind(' ') + 1));
  }
  EXPECT_THAT(texts, ElementsAre("one", "two", "three", "four"));
  EXPECT_TRUE(service_.log_requests.front().has_tail());
  EXPECT_FALSE(service_.log_requests.back().has_tail());
}

TEST(LogMarkTest, LinesOfOneMomentAreCounted) {
  LogMark mark;
  EXPECT_TRUE(mark.empty());
  const v1::LogLine line = Lines({{0, "x"}}, 100).lines(0);
  EXPECT_TRUE(mark.Take(line));
  EXPECT_TRUE(mark.Take(line));
  mark.Restart(/*had_tail=*/false);
  EXPECT_FALSE(mark.Take(line));
  EXPECT_FALSE(mark.Take(line));
  EXPECT_TRUE(mark.Take(line));
  mark.Restart(false);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(mark.Take(line));
  EXPECT_TRUE(mark.Take(line));
  EXPECT_TRUE(mark.Take(Lines({{0, "back"}}, 50).lines(0)))
      << "beyond the mark a clock that goes back is no matter";
}

TEST(LogMarkTest, AfterATailOlderLinesOfOtherRanksAreNotWanted) {
  LogMark mark;
  ASSERT_TRUE(mark.Take(Lines({{0, "last"}}, 100).lines(0)));
  mark.Restart(/*had_tail=*/true);
  EXPECT_FALSE(mark.Take(Lines({{1, "old"}}, 90).lines(0)));
  EXPECT_FALSE(mark.Take(Lines({{0, "last"}}, 100).lines(0)));
  EXPECT_TRUE(mark.Take(Lines({{1, "new"}}, 101).lines(0)));
}

TEST(SparklineTest, FromTheLowestToTheHighest) {
  EXPECT_EQ(Sparkline({0, 1, 2, 3, 4, 5, 6, 7}, 100, true), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(Sparkline({9, 0, 3.5, 7}, 3, true), "▁▅█") << "the newest";
  EXPECT_EQ(Sparkline({5, 5}, 9, true), "▁▁");
  EXPECT_EQ(Sparkline({1, NAN, 2}, 9, true), "▁ █");
  EXPECT_EQ(Sparkline({0, 1, 2, 3}, 9, false), "_.-^");
  EXPECT_EQ(Sparkline({}, 9, true), "");
  EXPECT_EQ(Sparkline({INFINITY}, 9, true), " ");
  EXPECT_EQ(DisplayWidth("a▁é"), 3u);
}

class TrainBarTest : public TrainTest {};

TEST_F(TrainBarTest, GivesWayFromTheEnd) {
  const v1::Job job = JobAt(v1::JOB_STATE_RUNNING, 500);
  const std::vector<double> losses = {3, 2, 1};
  const std::string wide = TrainBar(job, losses, 200, true);
  EXPECT_EQ(wide,
            "running [###############...............]  500/1000  loss 0.2  16 samples/s  12:30 left  █▅▁");
  EXPECT_THAT(TrainBar(job, losses, 200, false), ::testing::EndsWith("12:30 left  ^-_"));
  EXPECT_EQ(TrainBar(job, losses, 66, true),
            "running [#####.....]  500/1000  loss 0.2  16 samples/s  12:30 left");
  EXPECT_EQ(TrainBar(job, losses, 60, true), "running  500/1000  loss 0.2  16 samples/s  12:30 left");
  for (int columns = 0; columns < 150; ++columns) {
    EXPECT_LE(DisplayWidth(TrainBar(job, losses, columns, true)), static_cast<size_t>(columns));
  }
  EXPECT_EQ(TrainBar(JobAt(v1::JOB_STATE_STARTING, 0), {}, 80, true), "starting");
  const v1::Job over = JobAt(v1::JOB_STATE_RUNNING, 5000);  // a step that no job has
  EXPECT_THAT(TrainBar(over, {}, 100, true), StartsWith("running [##############################]"));
}

}  // namespace
}  // namespace ip2p
