// Lock order: an exchange's own mutex, then those of the HTTP library and of the watch, which never call back
// with theirs held.
#include "services/gateway/exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/time/clock.h"
#include "services/gateway/security_headers.h"

namespace ip2p::gateway {
namespace {

constexpr size_t kBlockBytes = 32 << 10;
constexpr absl::Duration kPingAfter = absl::Seconds(15);

MHD_Result QueueResponse(MHD_Connection* connection, MHD_Response* response, const WebAnswer& answer) {
  for (const auto& [name, value] : SecurityHeaders()) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  MHD_add_response_header(response, "Content-Type", answer.type.c_str());
  for (const auto& [name, value] : answer.headers) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  const MHD_Result result = MHD_queue_response(connection, static_cast<unsigned>(answer.status), response);
  MHD_destroy_response(response);
  return result;
}

}  // namespace

Exchange::Exchange(MHD_Connection* connection, ConnectionWatch* watch, size_t max_buffered,
                   absl::Duration send_timeout)
    : connection_(connection),
      watch_(watch),
      max_buffered_(max_buffered),
      send_timeout_(send_timeout),
      last_sent_(absl::Now()) {
  request.departure = departure.get();
}

void Exchange::Suspend() {
  watch_->Enter(connection_, Phase::kWorking, 0, absl::Now());
  absl::MutexLock lock(&mutex_);
  suspended_ = true;
  MHD_suspend_connection(connection_);
}

void Exchange::Wake() {
  if (!suspended_ || over_) return;
  suspended_ = false;
  MHD_resume_connection(connection_);
}

MHD_Result Exchange::Queue() {
  WebAnswer answer;
  {
    absl::MutexLock lock(&mutex_);
    if (!begun_) {
      if (!answer_) return MHD_NO;
      answer = *std::move(answer_);
    }
  }
  if (!begun()) return Queue(std::move(answer));
  answer.type = "text/event-stream";
  answer.headers = {{"Cache-Control", "no-store"}, {"X-Request-Id", request.request_id}};
  auto* self = new std::shared_ptr<Exchange>(shared_from_this());  // FreeCallback's
  return QueueResponse(
      connection_,
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kBlockBytes, PullCallback, self, FreeCallback),
      answer);
}

MHD_Result Exchange::Queue(WebAnswer answer) {
  watch_->Enter(connection_, Phase::kAnswering, static_cast<int64_t>(answer.body.size()), absl::Now());
  MHD_Response* response =
      MHD_create_response_from_buffer(answer.body.size(), answer.body.data(), MHD_RESPMEM_MUST_COPY);
  return QueueResponse(connection_, response, answer);
}

void Exchange::OnOver() {
  {
    absl::MutexLock lock(&mutex_);
    over_ = true;
  }
  watch_->SetDeparture(connection_, nullptr);
  departure->Announce();
}

void Exchange::Finish(WebAnswer answer) {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  if (begun_) {
    // What is left has to be taken at the rate of any other answer.
    watch_->Enter(connection_, Phase::kAnswering, static_cast<int64_t>(buffer_.size() - pulled_),
                  absl::Now());
  } else {
    answer_ = std::move(answer);
  }
  Wake();
}

bool Exchange::Send(std::string_view event, std::string_view data) {
  const std::string frame = EventFrame(event, data);
  absl::MutexLock lock(&mutex_);
  auto has_room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return over_ || buffer_.size() - pulled_ < max_buffered_;
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&has_room), send_timeout_)) return false;
  if (over_ || ended_) return false;
  if (pulled_ > 0) buffer_.erase(0, std::exchange(pulled_, 0));
  buffer_ += frame;
  begun_ = true;
  last_sent_ = absl::Now();
  Wake();
  return true;
}

bool Exchange::begun() const {
  absl::MutexLock lock(&mutex_);
  return begun_;
}

void Exchange::Ping(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (!begun_ || ended_ || over_ || pulled_ < buffer_.size() || now - last_sent_ < kPingAfter) return;
  buffer_ += ": ping\n\n";
  last_sent_ = now;
  Wake();
}

ssize_t Exchange::Pull(char* buffer, size_t size) {
  absl::MutexLock lock(&mutex_);
  const size_t count = std::min(size, buffer_.size() - pulled_);
  if (count > 0) {
    std::memcpy(buffer, buffer_.data() + pulled_, count);
    pulled_ += count;
    if (pulled_ == buffer_.size()) {
      buffer_.clear();
      pulled_ = 0;
    }
    return static_cast<ssize_t>(count);
  }
  if (ended_ || over_) return MHD_CONTENT_READER_END_OF_STREAM;
  suspended_ = true;
  MHD_suspend_connection(connection_);
  return 0;
}

ssize_t Exchange::PullCallback(void* self, uint64_t, char* buffer, size_t size) {
  return (*static_cast<std::shared_ptr<Exchange>*>(self))->Pull(buffer, size);
}

void Exchange::FreeCallback(void* self) { delete static_cast<std::shared_ptr<Exchange>*>(self); }

}  // namespace ip2p::gateway
