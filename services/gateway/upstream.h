// A gRPC service behind the gateway: how it is reached, and what goes with every call. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/status.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "services/gateway/departure.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

// Time for a call that answers at once.
constexpr absl::Duration kAskTimeout = absl::Seconds(20);

// Paths of PEM files; all empty: plain text.
struct UpstreamTls {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

class Upstream {
 public:
  // `name` is for people: "edit server". An empty address gives a service that is not there. Errors:
  // INVALID_ARGUMENT, NOT_FOUND (files).
  static absl::StatusOr<Upstream> Connect(std::string name, const std::string& address,
                                          const UpstreamTls& tls);

  bool configured() const { return channel_ != nullptr; }
  const std::string& name() const { return name_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // The caller's token, the request's id and trace go along.
  void Prepare(grpc::ClientContext& context, const WebRequest& request, absl::Duration timeout) const;
  // FAILED_PRECONDITION when it is not configured.
  absl::Status Present() const;
  // What a finished call says. A service that can't be reached is UNAVAILABLE, without its address.
  absl::Status Said(const grpc::ClientContext& context, const grpc::Status& status) const;

  // One unary call, ended early when the caller leaves. `Service` is a generated service class.
  template <typename Service, typename Request, typename Response>
  absl::Status Ask(const WebRequest& request, absl::Duration timeout,
                   grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& question, Response* answer) const {
    if (absl::Status present = Present(); !present.ok()) return present;
    grpc::ClientContext context;
    Prepare(context, request, timeout);
    const Departure::Scope scope(*request.departure, [&context] { context.TryCancel(); });
    const auto stub = Service::NewStub(channel_);
    return Said(context, ((*stub).*method)(&context, question, answer));
  }

 private:
  Upstream(std::string name, std::shared_ptr<grpc::Channel> channel)
      : name_(std::move(name)), channel_(std::move(channel)) {}

  std::string name_;
  std::shared_ptr<grpc::Channel> channel_;
};

// The services of the cluster.
struct Upstreams {
  Upstream edit;
  Upstream prompt;
  Upstream pair;
  Upstream training;
};

}  // namespace ip2p::gateway
