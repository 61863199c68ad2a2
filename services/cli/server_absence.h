// What a stream does while its server is away, as during a restart: waits and tries again, longer each time,
// until the server has been away for too long. One thread.
#pragma once

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "services/cli/console.h"

namespace ip2p {

class ServerAbsence {
 public:
  // `limit`: of one absence; 0: the first fault is the last.
  ServerAbsence(Console& console, std::shared_ptr<grpc::Channel> channel, absl::Duration limit)
      : console_(console), channel_(std::move(channel)), limit_(limit) {}

  // Whether a stream that ended so may be opened again.
  static bool MayPass(const absl::Status& status);

  // The server was heard. True: it had been away.
  bool Heard();
  // Waits before the next try, no longer than until the channel is connected again. Errors: `fault`, when it
  // is none that passes or the time is over; CANCELLED on Ctrl-C.
  absl::Status Wait(const absl::Status& fault);
  int tries() const { return tries_; }  // of this absence

 private:
  void Sleep(absl::Duration wait);

  Console& console_;
  const std::shared_ptr<grpc::Channel> channel_;
  const absl::Duration limit_;
  int tries_ = 0;
  absl::Time since_;  // while tries_ > 0
};

}  // namespace ip2p
