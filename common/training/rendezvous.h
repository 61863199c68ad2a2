// Where the ranks of a run find each other: a TCP store that rank 0 serves. No torch here.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace ip2p {

struct RendezvousAddress {
  std::string host;  // of rank 0's store
  int port = 0;
  std::string own_host = "127.0.0.1";  // that the other ranks reach this one at
};

// Rank 0's: serves from Create on, so that its port can be told to others before they come.
class Rendezvous {
 public:
  // A free port when `port` is 0. UNAVAILABLE when it is taken.
  static absl::StatusOr<std::shared_ptr<Rendezvous>> Create(int port);
  virtual ~Rendezvous() = default;
  virtual int port() const = 0;
};

}  // namespace ip2p
