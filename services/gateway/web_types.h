// A request as the gateway's routes see it, and what they give back. No type of the HTTP library here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ip2p::gateway {

class Departure;
struct Route;

using NamedValues = std::vector<std::pair<std::string, std::string>>;

struct WebRequest {
  std::string method;
  std::string path;     // decoded, without the query
  NamedValues headers;  // names as sent
  NamedValues query;    // decoded
  std::string body;
  int64_t content_length = 0;  // as announced
  std::string remote;          // the peer's address without its port

  // What the gateway finds out before the body is read.
  std::string request_id;
  std::string traceparent;  // the caller's, or one of a trace that begins here
  std::string token;        // empty: none was sent
  std::string caller;       // "token:web", else "peer:127.0.0.1"
  const Route* route = nullptr;
  std::vector<std::string> parts;  // what the route's {…} matched, in order
  size_t max_body_bytes = 0;
  Departure* departure = nullptr;  // tells when nobody waits for the answer any more

  // The first one of that name, any case; empty when there is none.
  std::string_view Header(std::string_view name) const;
  bool HasHeader(std::string_view name) const;
  // The first one of that exact name; null when there is none.
  const std::string* Query(std::string_view name) const;
};

struct WebAnswer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  NamedValues headers;
};

// Where a route tells events (server-sent events) instead of one answer. The first event begins the stream,
// with status 200; from then on an answer is ignored. Thread-safe.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // `data` is JSON on one line. Waits while the client is slower; false when it is gone, or took nothing for
  // too long.
  virtual bool Send(std::string_view event, std::string_view data) = 0;
  virtual bool begun() const = 0;
};

// One server-sent event: "event: NAME\ndata: DATA\n\n", a data line for each line of `data`.
std::string EventFrame(std::string_view event, std::string_view data);

// Case-insensitive, ASCII.
bool SameName(std::string_view a, std::string_view b);

}  // namespace ip2p::gateway
