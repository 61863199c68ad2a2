// How the library is used: a request's first call has its headers only, the next ones its body, and one
// without data asks for the answer. A connection is suspended while a worker has it.
#include "services/gateway/web_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "services/gateway/listen_socket.h"
#include "services/gateway/url_text.h"
#include "services/gateway/web_errors.h"

namespace ip2p::gateway {
namespace {

constexpr absl::Duration kSweepEvery = absl::Milliseconds(100);
constexpr absl::Duration kLastWords = absl::Seconds(5);  // for work that was called off

std::string AddressText(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr) return "unknown";
  char text[INET6_ADDRSTRLEN] = "unknown";
  if (info->client_addr->sa_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(info->client_addr)->sin6_addr, text,
                sizeof(text));
  } else if (info->client_addr->sa_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(info->client_addr)->sin_addr, text,
                sizeof(text));
  }
  return text;
}

MHD_Result CollectHeader(void* headers, MHD_ValueKind, const char* name, const char* value) {
  static_cast<NamedValues*>(headers)->emplace_back(name, value == nullptr ? "" : value);
  return MHD_YES;
}

// The library leaves the escapes, so that NUL and broken ones are seen.
MHD_Result CollectQuery(void* query, MHD_ValueKind, const char* name, const char* value) {
  std::optional<std::string> key = PercentDecode(name);
  std::optional<std::string> text = PercentDecode(value == nullptr ? "" : value);
  auto& values = *static_cast<NamedValues*>(query);
  if (!key || !text) {
    values.emplace_back("", name);  // no route knows a parameter without a name
  } else {
    values.emplace_back(*std::move(key), *std::move(text));
  }
  return MHD_YES;
}

size_t LeaveEscapes(void*, MHD_Connection*, char* text) { return std::string_view(text).size(); }

void Ignore(void*, const char*, va_list) {}  // faults of clients, in the library's words

// Shapes that a proxy in front might read differently: which bytes are the body must be beyond doubt.
std::optional<WebAnswer> Doubtful(const WebRequest& request) {
  if (request.HasHeader("transfer-encoding")) {
    return ErrorAnswer(411, "INVALID_ARGUMENT", "the body has no told length; wants Content-Length");
  }
  int lengths = 0;
  int hosts = 0;
  for (const auto& [name, value] : request.headers) {
    lengths += SameName(name, "content-length") ? 1 : 0;
    hosts += SameName(name, "host") ? 1 : 0;
  }
  if (lengths > 1)
    return ErrorAnswer(400, "INVALID_ARGUMENT", "Content-Length is given twice; wants it once");
  if (hosts > 1) return ErrorAnswer(400, "INVALID_ARGUMENT", "Host is given twice; wants it once");
  return std::nullopt;
}

}  // namespace

WebServer::WebServer(const WebServerOptions& options, WebApp* app)
    : options_(options), app_(app), watch_(options.watch) {}

absl::StatusOr<std::unique_ptr<WebServer>> WebServer::Start(const WebServerOptions& options, WebApp* app) {
  std::unique_ptr<WebServer> server(new WebServer(options, app));
  IP2P_ASSIGN_OR_RETURN(const ListenSocket socket, Listen(options.address));
  server->listening_ = socket.fd;
  server->port_ = socket.port;
  server->workers_ = std::make_unique<WorkerPool>(options.threads);
  const auto idle = static_cast<unsigned>(absl::ToInt64Seconds(options.watch.header_time) + 1);
  server->daemon_ =
      MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                       nullptr, nullptr, &OnRequest, server.get(),                                         //
                       MHD_OPTION_LISTEN_SOCKET, socket.fd,                                                //
                       MHD_OPTION_EXTERNAL_LOGGER, &Ignore, nullptr,                                       //
                       MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(options.watch.max_connections),  //
                       MHD_OPTION_CONNECTION_TIMEOUT, idle,                                                //
                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, options.header_bytes,                           //
                       MHD_OPTION_STRICT_FOR_CLIENT, 1,                                                    //
                       MHD_OPTION_UNESCAPE_CALLBACK, &LeaveEscapes, nullptr,                               //
                       MHD_OPTION_NOTIFY_COMPLETED, &OnCompleted, server.get(),                            //
                       MHD_OPTION_NOTIFY_CONNECTION, &OnConnection, server.get(),                          //
                       MHD_OPTION_END);
  if (server->daemon_ == nullptr) {
    ::close(socket.fd);
    return absl::UnavailableError("the HTTP server can't start; wants file descriptors and a thread");
  }
  server->sweeper_ = std::thread([self = server.get()] { self->SweepUntilStopped(); });
  return server;
}

WebServer::~WebServer() {
  if (daemon_ == nullptr) return;
  Drain(absl::Now());
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;  // connections that are kept may still send requests
  }
  for (const auto& exchange : Open()) exchange->departure->Announce();
  workers_.reset();  // every suspended connection is resumed before the library may stop
  MHD_stop_daemon(daemon_);
  stopped_.Notify();
  sweeper_.join();
  ::close(listening_);
}

void WebServer::OnConnection(void* self, MHD_Connection* connection, void**,
                             MHD_ConnectionNotificationCode code) {
  ConnectionWatch& watch = static_cast<WebServer*>(self)->watch_;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) return watch.Closed(connection);
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info != nullptr) watch.Opened(connection, info->connect_fd, absl::Now());
}

void WebServer::OnCompleted(void* self, MHD_Connection* connection, void** context,
                            MHD_RequestTerminationCode) {
  auto* server = static_cast<WebServer*>(self);
  if (*context != nullptr) {
    auto* exchange = static_cast<std::shared_ptr<Exchange>*>(*context);
    (*exchange)->OnOver();
    if (!(*exchange)->dispatched)
      server->body_bytes_ -= static_cast<int64_t>((*exchange)->request.body.size());
    delete exchange;
    *context = nullptr;
  }
  server->watch_.Enter(connection, Phase::kHeaders, 0, absl::Now());
}

MHD_Result WebServer::OnRequest(void* self, MHD_Connection* connection, const char* url, const char* method,
                                const char*, const char* data, size_t* size, void** context) {
  auto* server = static_cast<WebServer*>(self);
  if (*context == nullptr) return server->Begin(connection, url, method, context);
  auto& exchange = *static_cast<std::shared_ptr<Exchange>*>(*context);
  if (*size > 0) {
    const MHD_Result taken = server->TakeBody(*exchange, connection, data, *size);
    *size = 0;
    return taken;
  }
  if (exchange->dispatched) return exchange->Queue();
  if (exchange->overloaded) {
    WebAnswer answer = ErrorAnswer(503, "UNAVAILABLE", "too many large requests at once; try again later");
    answer.headers.emplace_back("Retry-After", "5");
    return exchange->Queue(std::move(answer));
  }
  if (server->Dispatch(exchange)) return MHD_YES;
  return exchange->Queue(ErrorAnswer(503, "UNAVAILABLE", "the gateway is shutting down"));
}

MHD_Result WebServer::Begin(MHD_Connection* connection, const char* url, const char* method, void** context) {
  auto exchange =
      std::make_shared<Exchange>(connection, &watch_, options_.stream_bytes, options_.send_timeout);
  WebRequest& request = exchange->request;
  request.method = method;
  request.path = url;
  request.remote = AddressText(connection);
  MHD_get_connection_values(connection, MHD_HEADER_KIND, &CollectHeader, &request.headers);
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, &CollectQuery, &request.query);
  *context = new std::shared_ptr<Exchange>(exchange);  // OnCompleted's
  watch_.SetDeparture(connection, exchange->departure);
  watch_.Enter(connection, Phase::kBody, 0, absl::Now());
  std::optional<WebAnswer> early = Doubtful(request);
  if (!early && !absl::SimpleAtoi(std::string(request.Header("content-length")), &request.content_length)) {
    request.content_length = 0;  // the library refused what is no number
  }
  if (!early) early = app_->Admit(request);
  if (early) {
    if (request.content_length > 0 || request.HasHeader("transfer-encoding")) {
      early->headers.emplace_back("Connection", "close");  // its body is not read
    }
    return exchange->Queue(*std::move(early));
  }
  return MHD_YES;
}

MHD_Result WebServer::TakeBody(Exchange& exchange, MHD_Connection* connection, const char* data,
                               size_t size) {
  watch_.CountBody(connection, static_cast<int64_t>(size));
  if (exchange.overloaded) return MHD_YES;
  if (exchange.request.body.size() + size > exchange.request.max_body_bytes) return MHD_NO;
  if (body_bytes_.load() + static_cast<int64_t>(size) > options_.body_bytes_total) {
    body_bytes_ -= static_cast<int64_t>(exchange.request.body.size());
    exchange.request.body = std::string();
    exchange.overloaded = true;
    return MHD_YES;
  }
  body_bytes_ += static_cast<int64_t>(size);
  exchange.request.body.append(data, size);
  return MHD_YES;
}

bool WebServer::Dispatch(const std::shared_ptr<Exchange>& exchange) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  exchange->dispatched = true;
  open_[exchange.get()] = exchange;
  exchange->Suspend();
  workers_->Post([this, exchange] {
    const auto held = static_cast<int64_t>(exchange->request.body.size());
    WebAnswer answer = app_->Answer(exchange->request, *exchange);
    body_bytes_ -= held;
    {
      absl::MutexLock done(&mutex_);
      open_.erase(exchange.get());
    }
    exchange->Finish(std::move(answer));
  });
  return true;
}

std::vector<std::shared_ptr<Exchange>> WebServer::Open() {
  std::vector<std::shared_ptr<Exchange>> exchanges;
  absl::MutexLock lock(&mutex_);
  for (const auto& [key, weak] : open_) {
    if (std::shared_ptr<Exchange> exchange = weak.lock()) exchanges.push_back(std::move(exchange));
  }
  return exchanges;
}

void WebServer::SweepUntilStopped() {
  while (!stopped_.WaitForNotificationWithTimeout(kSweepEvery)) {
    const absl::Time now = absl::Now();
    watch_.Sweep(now);
    for (const auto& exchange : Open()) exchange->Ping(now);
  }
}

void WebServer::Drain(absl::Time deadline) {
  MHD_quiesce_daemon(daemon_);
  const auto wait_until = [this](absl::Time end) {
    absl::MutexLock lock(&mutex_);
    auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_.empty(); };
    return mutex_.AwaitWithDeadline(absl::Condition(&idle), end);
  };
  if (wait_until(deadline)) return;
  for (const auto& exchange : Open()) exchange->departure->Announce();
  wait_until(absl::Now() + kLastWords);
}

}  // namespace ip2p::gateway
