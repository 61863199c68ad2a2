// The edit servers that promoted checkpoints are served by. The interface, so that promotion can be tested
// without one. Calls block; any thread.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ip2p::training_coordinator {

class ModelServer {
 public:
  virtual ~ModelServer() = default;

  // The name of a model; of the default one when `name` is empty. NOT_FOUND, UNAVAILABLE.
  virtual absl::StatusOr<std::string> NameOf(const std::string& name, absl::Time deadline) = 0;
  // Has the model loaded by every one of them from a folder of their folder of models; returns when that
  // serves. As ReloadModel. When only some could, the error tells how many; they may be asked again.
  virtual absl::Status Reload(const std::string& name, const std::string& folder, absl::Time deadline) = 0;
};

struct ModelServerOptions {
  std::string address;     // of admin ports, as server_addresses.h; empty: there is no edit server
  std::string token_file;  // bearer token with the admin role
  std::string tls_ca_file;
  std::string tls_cert_file;
  std::string tls_key_file;
};

// ip2p.model.v1.ModelService. INVALID_ARGUMENT: a file can't be read. Null when no address is given.
absl::StatusOr<std::unique_ptr<ModelServer>> ConnectModelServer(const ModelServerOptions& options);

}  // namespace ip2p::training_coordinator
