#include "common/http/curl_http_client.h"

#include <atomic>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/http/scripted_server.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Task<void> SendOne(HttpClient* client, HttpRequest request, CancelToken* cancel,
                   absl::StatusOr<HttpResponse>* response) {
  *response = co_await client->Send(std::move(request), cancel);
}

absl::StatusOr<HttpResponse> Exchange(HttpRequest request, CancelToken* cancel = nullptr) {
  EventLoop loop;
  CurlHttpClient client(&loop);
  absl::StatusOr<HttpResponse> response = absl::UnknownError("no answer");
  loop.Run(SendOne(&client, std::move(request), cancel, &response));
  return response;
}

std::string Answer(const std::string& head, const std::string& body) {
  return "HTTP/1.1 " + head + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(CurlHttpClientTest, SendsWhatItIsGiven) {
  std::string seen;
  ScriptedServer server([&seen](int socket, const std::string& request) {
    seen = request;
    ScriptedServer::Write(socket, Answer("429 Too Many\r\nRetry-After:  7 ", "slow"));
  });
  const auto response = Exchange(
      {.url = server.url(), .headers = {{"Authorization", "Bearer abc"}}, .body = std::string("{\0}", 3)});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 429);
  EXPECT_EQ(response->Header("retry-after"), "7");
  EXPECT_EQ(response->Header("nope"), "");
  EXPECT_EQ(response->body, "slow");
  EXPECT_THAT(seen, HasSubstr("POST /x HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("Authorization: Bearer abc\r\n"));
  EXPECT_THAT(seen, HasSubstr(std::string("{\0}", 3)));
  EXPECT_THAT(seen, Not(HasSubstr("Expect:")));
}

TEST(CurlHttpClientTest, GivesTheBodyPieceByPieceToWhoAsks) {
  ScriptedServer server(ScriptedServer::Bytes(Answer("200 OK", "one two")));
  std::string taken;
  HttpRequest request{.url = server.url(), .max_body_bytes = 3};
  request.on_body = [&taken](std::string_view piece) { taken += piece; };
  const auto response = Exchange(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(taken, "one two");
  EXPECT_EQ(response->body, "");
  ScriptedServer refusing(ScriptedServer::Bytes(Answer("410 Gone", "old")));
  request.url = refusing.url();
  EXPECT_EQ(Exchange(request)->body, "old") << "what is no success is answered as ever";
  EXPECT_EQ(taken, "one two");
}

TEST(CurlHttpClientTest, ForgetsTheHeadersOf100Continue) {
  ScriptedServer server(
      ScriptedServer::Bytes("HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" + Answer("200 OK", "{}")));
  const auto response = Exchange({.url = server.url()});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->Header("x-early"), "");
}

TEST(CurlHttpClientTest, DoesNotFollowRedirects) {
  ScriptedServer server(ScriptedServer::Bytes(Answer("302 Found\r\nLocation: /elsewhere", "")));
  const auto response = Exchange({.url = server.url()});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(server.accepted(), 1);
}

TEST(CurlHttpClientTest, StopsABodyThatIsTooLongAsItComes) {
  ScriptedServer server([](int socket, const std::string&) {
    ScriptedServer::Write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
    const std::string block(65536, ' ');
    while (ScriptedServer::Write(socket, block)) {  // until the client has had enough
    }
  });
  const auto response = Exchange({.url = server.url(), .max_body_bytes = 1 << 20});
  EXPECT_TRUE(absl::IsResourceExhausted(response.status())) << response.status();
}

TEST(CurlHttpClientTest, GivesUpOnAHang) {
  ScriptedServer server([](int socket, const std::string&) { ScriptedServer::AwaitClose(socket); });
  const auto response = Exchange({.url = server.url(), .total_timeout = absl::Milliseconds(50)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(response.status())) << response.status();
  EXPECT_FALSE(WasNeverSent(response.status()));
}

TEST(CurlHttpClientTest, TellsABrokenAnswerFromNone) {
  ScriptedServer torn(ScriptedServer::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":"));
  EXPECT_TRUE(absl::IsUnavailable(Exchange({.url = torn.url()}).status()));
  ScriptedServer silent(ScriptedServer::Bytes(""));
  const auto nothing = Exchange({.url = silent.url()});
  EXPECT_TRUE(absl::IsUnavailable(nothing.status()));
  EXPECT_FALSE(WasNeverSent(nothing.status()));
  ScriptedServer garbage(ScriptedServer::Bytes("SSH-2.0-OpenSSH\r\n"));
  EXPECT_TRUE(absl::IsUnavailable(Exchange({.url = garbage.url()}).status()));
}

TEST(CurlHttpClientTest, BoundsTheHeaders) {
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i) many += "X-" + std::to_string(i) + ": " + std::string(50, 'x') + "\r\n";
  ScriptedServer server(ScriptedServer::Bytes(many + "\r\n"));
  EXPECT_TRUE(absl::IsUnavailable(Exchange({.url = server.url()}).status()));
}

TEST(CurlHttpClientTest, SaysWhenNothingWasSentAndNamesNoAddress) {
  std::string dead;
  {
    ScriptedServer server(ScriptedServer::Bytes(""));
    dead = server.url();
  }
  const auto refused = Exchange({.url = dead});
  EXPECT_TRUE(absl::IsUnavailable(refused.status()));
  EXPECT_TRUE(WasNeverSent(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), Not(HasSubstr("127.0.0.1")));

  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/", "nonsense://x"}) {
    const auto other = Exchange({.url = url});
    EXPECT_TRUE(absl::IsInvalidArgument(other.status())) << url << other.status();
  }
}

Task<void> CancelSoon(EventLoop* loop, CancelToken* cancel, Event* arrived) {
  co_await *arrived;
  cancel->Cancel();
  EXPECT_TRUE((co_await loop->Sleep(absl::ZeroDuration())).ok());
}

TEST(CurlHttpClientTest, CancelClosesTheConnection) {
  EventLoop loop;
  CurlHttpClient client(&loop);
  CancelToken cancel;
  Event arrived;
  ScriptedServer server([&](int socket, const std::string&) {
    loop.Post([&arrived] { arrived.Set(); });
    ScriptedServer::AwaitClose(socket);  // hangs the test if the client keeps it open
  });
  absl::StatusOr<HttpResponse> response = absl::UnknownError("no answer");
  Spawn(CancelSoon(&loop, &cancel, &arrived));
  loop.Run(SendOne(&client, {.url = server.url()}, &cancel, &response));
  EXPECT_TRUE(absl::IsCancelled(response.status())) << response.status();
}

Task<void> SendInTurn(HttpClient* client, std::string url, int count, int* good) {
  for (int i = 0; i < count; ++i) {
    HttpRequest request;
    request.method = "GET";
    request.url = url;
    const absl::StatusOr<HttpResponse> response = co_await client->Send(std::move(request), nullptr);
    if (response.ok() && response->status == 200) ++*good;
  }
}

Task<void> SendTwice(HttpClient* client, std::string url, std::vector<absl::StatusCode>* codes) {
  for (int i = 0; i < 2; ++i) {
    HttpRequest request;
    request.url = url;
    request.body = "{}";
    const absl::StatusOr<HttpResponse> response = co_await client->Send(std::move(request), nullptr);
    codes->push_back(response.status().code());
  }
}

TEST(CurlHttpClientTest, NeverSendsTwiceByItself) {
  std::atomic<int> requests = 0;
  ScriptedServer server([&requests](int socket, const std::string& first) {
    // A whole request holds its body; the connection breaks after the second one.
    std::string seen = first;
    char buffer[4096];
    for (int answered = 0; answered < 2; ++answered) {
      while (seen.find("{}") == std::string::npos) {
        const ssize_t got = recv(socket, buffer, sizeof(buffer), 0);
        if (got <= 0) return;
        seen.append(buffer, static_cast<size_t>(got));
      }
      seen.clear();
      ++requests;
      if (answered == 0) ScriptedServer::Write(socket, Answer("200 OK", "ok"));
    }
  });
  std::vector<absl::StatusCode> codes;
  EventLoop loop;
  CurlHttpClient client(&loop);
  loop.Run(SendTwice(&client, server.url(), &codes));
  EXPECT_THAT(codes, ::testing::ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kUnavailable));
  EXPECT_EQ(requests, 2);
}

TEST(CurlHttpClientTest, ReusesConnections) {
  ScriptedServer server([](int socket, const std::string&) {
    char buffer[4096];
    do ScriptedServer::Write(socket, Answer("200 OK", "{}"));
    while (recv(socket, buffer, sizeof(buffer), 0) > 0);
  });
  int good = 0;
  {
    EventLoop loop;
    CurlHttpClient client(&loop);
    loop.Run(SendInTurn(&client, server.url(), 20, &good));
  }
  EXPECT_EQ(good, 20);
  EXPECT_EQ(server.accepted(), 1);
}

}  // namespace
}  // namespace ip2p
