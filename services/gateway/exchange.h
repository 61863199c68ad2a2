// One request and its answer on their way through the HTTP library.
//
// The library's event thread reads the request, a worker thread makes the answer while the connection is
// suspended, and the event thread sends it. An answer that is a stream of events is fed by the worker and
// pulled by the event thread; `max_buffered` bytes wait at most, unless a single event has more.
#pragma once

#include <microhttpd.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/gateway/connection_watch.h"
#include "services/gateway/departure.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

class Exchange final : public EventSink, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(MHD_Connection* connection, ConnectionWatch* watch, size_t max_buffered,
           absl::Duration send_timeout);

  WebRequest request;  // the event thread's until it is suspended, then the worker's
  const std::shared_ptr<Departure> departure = std::make_shared<Departure>();
  bool dispatched = false;  // the event thread's
  bool overloaded = false;  // the event thread's: the body was not kept

  // Event thread: leaves the connection to the worker.
  void Suspend();
  // Event thread, after the worker is done or a stream has begun; or with an answer of its own.
  MHD_Result Queue();
  MHD_Result Queue(WebAnswer answer);
  // Event thread: the connection is done with this request, one way or another.
  void OnOver();

  // Worker: the last word. Ignored after events.
  void Finish(WebAnswer answer);
  // Worker, any thread until Finish.
  bool Send(std::string_view event, std::string_view data) override;
  bool begun() const override;
  // Sweeper: tells a silent stream's proxies that it lives.
  void Ping(absl::Time now);

 private:
  static ssize_t PullCallback(void* self, uint64_t position, char* buffer, size_t size);
  static void FreeCallback(void* self);

  ssize_t Pull(char* buffer, size_t size);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MHD_Connection* const connection_;
  ConnectionWatch* const watch_;
  const size_t max_buffered_;
  const absl::Duration send_timeout_;

  mutable absl::Mutex mutex_;
  bool suspended_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time last_sent_ ABSL_GUARDED_BY(mutex_);
  std::string buffer_ ABSL_GUARDED_BY(mutex_);
  size_t pulled_ ABSL_GUARDED_BY(mutex_) = 0;  // of buffer_
  std::optional<WebAnswer> answer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::gateway
