// An HttpClient that answers from a function, at once or after simulated time. One loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/http/event_loop.h"
#include "common/http/http_client.h"
#include "tests/fakes/fake_clock.h"

namespace ip2p {

// A loop whose time jumps to the next timer whenever nothing else is left to do.
struct SimulatedLoop {
  FakeClock clock{absl::FromUnixSeconds(1'700'000'000)};
  EventLoop loop{EventLoop::Options{
      .clock = &clock, .on_idle = [this](absl::Time next) { clock.Advance(next - clock.Now()); }}};
};

class FakeHttpClient final : public HttpClient {
 public:
  using Answer = std::function<absl::StatusOr<HttpResponse>(const HttpRequest&)>;

  explicit FakeHttpClient(EventLoop* loop) : loop_(loop) {}

  // Answers are used up first, one a request; then `otherwise`.
  std::deque<absl::StatusOr<HttpResponse>> answers;
  Answer otherwise = [](const HttpRequest&) { return HttpResponse{.status = 404}; };
  absl::Duration latency = absl::ZeroDuration();

  // What was sent, and when.
  std::vector<std::pair<absl::Time, HttpRequest>> sent;
  int in_flight = 0;
  int most_in_flight = 0;

  Task<absl::StatusOr<HttpResponse>> Send(HttpRequest request, CancelToken* cancel) override {
    sent.emplace_back(loop_->Now(), request);
    absl::StatusOr<HttpResponse> answer = HttpResponse{};
    if (answers.empty()) {
      answer = otherwise(request);
    } else {
      answer = std::move(answers.front());
      answers.pop_front();
    }
    most_in_flight = std::max(most_in_flight, ++in_flight);
    const absl::Status slept = co_await loop_->Sleep(latency, cancel);
    --in_flight;
    if (!slept.ok()) co_return slept;
    co_return answer;
  }

 private:
  EventLoop* const loop_;
};

}  // namespace ip2p
