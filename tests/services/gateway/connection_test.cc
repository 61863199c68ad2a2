#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/gateway/connection_watch.h"
#include "services/gateway/running_work.h"
#include "services/gateway/web_server.h"

namespace ip2p::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const absl::Time kBegin = absl::FromUnixSeconds(1'700'000'000);
constexpr absl::Duration kPatience = absl::Seconds(60);  // a test that needs it has failed

ConnectionState At(Phase phase, int64_t bytes = 0) {
  return {.phase = phase, .since = kBegin, .bytes = bytes};
}

TEST(TooSlowTest, HeadersHaveADeadlineThatShrinksInACrowd) {
  const WatchLimits limits{.max_connections = 100};
  EXPECT_FALSE(IsTooSlow(At(Phase::kHeaders), 10, kBegin + absl::Seconds(9), limits));
  EXPECT_TRUE(IsTooSlow(At(Phase::kHeaders), 10, kBegin + absl::Seconds(11), limits));
  EXPECT_TRUE(IsTooSlow(At(Phase::kHeaders), 80, kBegin + absl::Seconds(3), limits));
}

TEST(TooSlowTest, ABodyHasALeastRateAfterAGrace) {
  const WatchLimits limits;
  EXPECT_FALSE(IsTooSlow(At(Phase::kBody, 4), 1, kBegin + absl::Seconds(4), limits));
  EXPECT_TRUE(IsTooSlow(At(Phase::kBody, 6), 1, kBegin + absl::Seconds(6), limits));  // a byte a second
  EXPECT_FALSE(IsTooSlow(At(Phase::kBody, 64 << 10), 1, kBegin + absl::Seconds(8), limits));
}

TEST(TooSlowTest, AnAnswerHasTimeForItsSizeAndWorkHasAllTime) {
  const WatchLimits limits;
  EXPECT_FALSE(IsTooSlow(At(Phase::kAnswering, 1 << 20), 1, kBegin + absl::Seconds(60), limits));
  EXPECT_TRUE(IsTooSlow(At(Phase::kAnswering, 1 << 20), 1, kBegin + absl::Seconds(80), limits));
  EXPECT_FALSE(IsTooSlow(At(Phase::kWorking), 1, kBegin + absl::Hours(5), limits));
}

TEST(ConnectionWatchTest, CutsAPortionAtATimeTheSlowestFirst) {
  ConnectionWatch watch({.max_connections = 1000});
  constexpr int kConnections = 40;
  int sockets[kConnections][2];
  for (int i = 0; i < kConnections; ++i) {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i]), 0);
    // The first opened is the last in the map's order.
    watch.Opened(&sockets[kConnections - 1 - i], sockets[i][0], kBegin + absl::Milliseconds(i));
  }
  const auto is_cut = [&sockets](int i) {
    char byte;
    return ::recv(sockets[i][1], &byte, 1, MSG_DONTWAIT) == 0;
  };
  watch.Sweep(kBegin + absl::Seconds(11));
  for (int i = 0; i < kConnections; ++i) EXPECT_EQ(is_cut(i), i < 16) << i;
  for (int i = 0; i < 16; ++i) watch.Closed(&sockets[kConnections - 1 - i]);
  watch.Sweep(kBegin + absl::Seconds(11));
  for (int i = 16; i < kConnections; ++i) EXPECT_EQ(is_cut(i), i < 32) << i;
  for (auto& [ours, theirs] : sockets) {
    ::close(ours);
    ::close(theirs);
  }
}

TEST(DepartureTest, StopsOnceAndAlsoWhatComesLater) {
  Departure departure;
  int stopped = 0;
  {
    const Departure::Scope over(departure, [&stopped] { stopped += 100; });
  }
  const Departure::Scope scope(departure, [&stopped] { ++stopped; });
  departure.Announce();
  departure.Announce();
  EXPECT_EQ(stopped, 1);
  const Departure::Scope late(departure, [&stopped] { ++stopped; });
  EXPECT_EQ(stopped, 2);
}

TEST(RunningWorkTest, OneCallerCannotCancelAnothersWork) {
  RunningWork work;
  Departure departure;
  const RunningWork::Scope scope(work, "token:a", "edit-1", &departure);
  EXPECT_TRUE(scope.status().ok());
  EXPECT_TRUE(absl::IsAlreadyExists(RunningWork::Scope(work, "token:a", "edit-1", &departure).status()));
  EXPECT_TRUE(absl::IsNotFound(work.Cancel("token:b", "edit-1")));
  EXPECT_FALSE(departure.announced());
  EXPECT_TRUE(work.Cancel("token:a", "edit-1").ok());
  EXPECT_TRUE(departure.announced());
}

// Answers at once; /wait waits until its client is gone, /stream tells events until it is.
class FakeApp final : public WebApp {
 public:
  std::optional<WebAnswer> Admit(WebRequest& request) override {
    request.max_body_bytes = 100;
    if (request.content_length > 100) return WebAnswer{.status = 413};
    return std::nullopt;
  }
  WebAnswer Answer(WebRequest& request, EventSink& events) override {
    if (request.path == "/wait") {
      waiting.Notify();
      const Departure::Scope scope(*request.departure, [this] { gone.Notify(); });
      gone.WaitForNotificationWithTimeout(kPatience);
    }
    if (request.path == "/stream") {
      const std::string data(100'000, 'x');
      while (events.Send("piece", data)) ++sent;
      stream_over.Notify();
    }
    if (request.path == "/two") {
      events.Send("one", "1");
      events.Send("two", "2");
    }
    return {.body = absl::StrCat("body:", request.body)};
  }

  absl::Notification waiting;
  absl::Notification gone;
  absl::Notification stream_over;
  int sent = 0;
};

class WebServerTest : public ::testing::Test {
 protected:
  void Start(WebServerOptions options = {}) {
    auto server = WebServer::Start(options, &app_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  int Connect() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  static void Write(int fd, const std::string& text) {
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // All until the server closes.
  static std::string ReadAll(int fd) {
    std::string all;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;)
      all.append(buffer, static_cast<size_t>(n));
    ::close(fd);
    return all;
  }
  std::string Ask(const std::string& text) {
    const int fd = Connect();
    Write(fd, text);
    return ReadAll(fd);
  }

  FakeApp app_;
  std::unique_ptr<WebServer> server_;
};

TEST_F(WebServerTest, AnswersABody) {
  Start();
  const std::string answer =
      Ask("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("body:abc"));
  EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'self'"));
}

TEST_F(WebServerTest, ShapesThatSmuggleAreRefused) {
  Start();
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
                  "3\r\n\r\n0\r\n\r\nGET"),
              StartsWith("HTTP/1.1 411 "));
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3x\r\n\r\nabc"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(WebServerTest, ALargeBodyIsRefusedBeforeItIsRead) {
  Start();
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(WebServerTest, HeadersWithoutAnEndAreCutOff) {
  Start({.watch = {.header_time = absl::Milliseconds(200)}});
  EXPECT_EQ(Ask("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "), "");
}

TEST_F(WebServerTest, ABodyThatTricklesIsCutOff) {
  Start({.watch = {.grace = absl::Milliseconds(200)}});
  EXPECT_EQ(Ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\na"), "");
}

TEST_F(WebServerTest, TooManyHeadersAreRefused) {
  Start();
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
}

TEST_F(WebServerTest, AClientThatHangsUpIsNoticedWhileItsAnswerIsMade) {
  Start();
  const int fd = Connect();
  Write(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  ::close(fd);
  EXPECT_TRUE(app_.gone.WaitForNotificationWithTimeout(kPatience));
}

TEST_F(WebServerTest, EventsComeInOrderAndEnd) {
  Start();
  const std::string answer = Ask("GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("text/event-stream"));
  EXPECT_THAT(answer, HasSubstr("event: one\ndata: 1\n\n"));
  EXPECT_THAT(answer, HasSubstr("event: two\ndata: 2\n\n"));
}

TEST_F(WebServerTest, AStreamThatNobodyReadsIsBoundedAndEnds) {
  Start({.stream_bytes = 1 << 20, .send_timeout = absl::Milliseconds(300)});
  const int fd = Connect();
  Write(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(app_.stream_over.WaitForNotificationWithTimeout(kPatience));
  EXPECT_LT(app_.sent, 1000);  // the buffers of both sockets and ours
  ::close(fd);
}

TEST_F(WebServerTest, DrainingCallsOffWhatDoesNotEnd) {
  Start();
  const int fd = Connect();
  Write(fd, "GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  app_.waiting.WaitForNotification();
  server_->Drain(absl::Now() + absl::Milliseconds(100));
  server_.reset();
  ::close(fd);
}

TEST_F(WebServerTest, RequestsThatComeWhileItGoesEndSomehow) {
  for (int i = 0; i < 20; ++i) {
    Start();
    const int fd = Connect();
    Write(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    server_.reset();
    ReadAll(fd);
  }
}

TEST(ListenTest, APortInUseIsAnError) {
  FakeApp app;
  const auto first = WebServer::Start({}, &app);
  ASSERT_TRUE(first.ok());
  const std::string address = absl::StrCat("127.0.0.1:", (*first)->port());
  EXPECT_TRUE(absl::IsUnavailable(WebServer::Start({.address = address}, &app).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(WebServer::Start({.address = "8080"}, &app).status()));
}

}  // namespace
}  // namespace ip2p::gateway
