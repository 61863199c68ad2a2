// The HTTP server: one event thread (epoll) for all connections, worker threads for what takes time.
//
// A slow, silent or idle client costs no thread, only its place among `max_connections`, and
// connection_watch.h takes that from it. Requests are HTTP/1.0 and 1.1, bodies of a told length only.
#pragma once

#include <microhttpd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/base/worker_pool.h"
#include "services/gateway/connection_watch.h"
#include "services/gateway/exchange.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

struct WebServerOptions {
  std::string address = "127.0.0.1:0";  // HOST:PORT; port 0 takes a free one
  WatchLimits watch;
  int threads = 64;                                 // of workers
  size_t header_bytes = 32 << 10;                   // of a request's line and headers
  int64_t body_bytes_total = 256 << 20;             // of all requests that are read or worked on
  size_t stream_bytes = 8 << 20;                    // events of a stream that wait for its client
  absl::Duration send_timeout = absl::Seconds(20);  // for a client to make room for the next event
};

// What is served.
class WebApp {
 public:
  virtual ~WebApp() = default;
  // Before the body is read; on the event thread, so it must not wait. Fills in what request's second half
  // holds; an answer ends the request here.
  virtual std::optional<WebAnswer> Admit(WebRequest& request) = 0;
  // On a worker thread.
  virtual WebAnswer Answer(WebRequest& request, EventSink& events) = 0;
};

class WebServer {
 public:
  // `app` must outlive the server. UNAVAILABLE: it can't listen.
  static absl::StatusOr<std::unique_ptr<WebServer>> Start(const WebServerOptions& options, WebApp* app);
  ~WebServer();

  int port() const { return port_; }
  int connections() const { return watch_.open(); }
  // Takes no new connections and waits for requests under way until the deadline; then their departures are
  // announced. Once.
  void Drain(absl::Time deadline);

 private:
  WebServer(const WebServerOptions& options, WebApp* app);

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* url, const char* method,
                              const char* version, const char* data, size_t* size, void** exchange);
  static void OnCompleted(void* self, MHD_Connection* connection, void** exchange,
                          MHD_RequestTerminationCode code);
  static void OnConnection(void* self, MHD_Connection* connection, void** context,
                           MHD_ConnectionNotificationCode code);

  MHD_Result Begin(MHD_Connection* connection, const char* url, const char* method, void** exchange);
  MHD_Result TakeBody(Exchange& exchange, MHD_Connection* connection, const char* data, size_t size);
  // False when the server is going.
  bool Dispatch(const std::shared_ptr<Exchange>& exchange);
  void SweepUntilStopped();
  std::vector<std::shared_ptr<Exchange>> Open();

  const WebServerOptions options_;
  WebApp* const app_;
  int listening_ = -1;
  int port_ = 0;
  ConnectionWatch watch_;
  std::atomic<int64_t> body_bytes_ = 0;

  absl::Mutex mutex_;
  std::map<Exchange*, std::weak_ptr<Exchange>> open_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;  // no worker takes anything any more

  std::unique_ptr<WorkerPool> workers_;
  MHD_Daemon* daemon_ = nullptr;
  absl::Notification stopped_;
  std::thread sweeper_;
};

}  // namespace ip2p::gateway
