// Which handler a request goes to. Immutable once built; thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

// Gives the answer, or an error that is told in its place; or tells events, and then its answer is ignored.
using Handler = std::function<absl::StatusOr<WebAnswer>(WebRequest& request, EventSink& events)>;

struct Route {
  const char* method;   // GET (HEAD is answered too), POST, DELETE
  std::string pattern;  // "/api/v1/training/jobs/{job}/pause"; the route's label in metrics
  Handler handler;
  bool open = false;        // needs no token
  bool long_lived = false;  // may take minutes: counts as a stream
  size_t max_body_bytes = 1 << 20;
  bool takes_form = false;  // multipart/form-data beside JSON
};

class Router {
 public:
  void Add(Route route);

  struct Match {
    const Route* route = nullptr;    // null: no such path, or another method
    std::vector<std::string> parts;  // what {…} stands for
    std::string allowed;             // methods of that path, "GET, POST"; empty: no such path
  };
  Match Find(const std::string& method, const std::vector<std::string>& path) const;

 private:
  struct Entry {
    std::vector<std::string> pattern;
    Route route;
  };
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace ip2p::gateway
