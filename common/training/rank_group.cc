// See rank_group.h and rendezvous.h.
#include "common/training/rank_group.h"

#include <chrono>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

// What NCCL's header needs comes with CUDA, not with LibTorch.
#if defined(USE_C10D_NCCL) && __has_include(<nccl.h>)
#define IP2P_HAS_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

absl::Status Unavailable(const char* what, const std::exception& e) {
  const std::string text = e.what();
  return absl::UnavailableError(absl::StrCat(what, ": ", text.substr(0, text.find('\n'))));
}

class TcpRendezvous final : public Rendezvous {
 public:
  explicit TcpRendezvous(c10::intrusive_ptr<c10d::TCPStore> store) : store_(std::move(store)) {}
  int port() const override { return store_->getPort(); }
  const c10::intrusive_ptr<c10d::TCPStore>& store() const { return store_; }

 private:
  const c10::intrusive_ptr<c10d::TCPStore> store_;
};

class WorkPending final : public RankGroup::Pending {
 public:
  explicit WorkPending(c10::intrusive_ptr<c10d::Work> work) : work_(std::move(work)) {}
  void Wait() override { work_->wait(); }

 private:
  const c10::intrusive_ptr<c10d::Work> work_;
};

class BackendGroup final : public RankGroup {
 public:
  explicit BackendGroup(c10::intrusive_ptr<c10d::Backend> backend) : backend_(std::move(backend)) {}
  int rank() const override { return backend_->getRank(); }
  int world_size() const override { return backend_->getSize(); }
  std::unique_ptr<Pending> StartSum(torch::Tensor& tensor) override {
    std::vector<torch::Tensor> tensors = {tensor};
    return std::make_unique<WorkPending>(backend_->allreduce(tensors));
  }

 private:
  const c10::intrusive_ptr<c10d::Backend> backend_;
};

std::chrono::milliseconds ToChrono(absl::Duration d) {
  return std::chrono::milliseconds(absl::ToInt64Milliseconds(d));
}

c10::intrusive_ptr<c10d::Backend> MakeGloo(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                           int world_size, const std::string& own_host,
                                           const RankTimeouts& timeouts) {
  const auto options = c10d::ProcessGroupGloo::Options::create(ToChrono(timeouts.join));
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(own_host));
  auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, world_size, options);
  gloo->setTimeout(ToChrono(timeouts.peer));
  return gloo;
}

c10::intrusive_ptr<c10d::Backend> MakeBackend(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                              int world_size, const std::string& own_host,
                                              torch::Device device, const RankTimeouts& timeouts) {
#ifdef IP2P_HAS_NCCL
  if (device.is_cuda()) {
    const auto options = c10d::ProcessGroupNCCL::Options::create(/*is_high_priority_stream=*/false);
    options->timeout = ToChrono(timeouts.peer);
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, world_size, options);
  }
#endif
  static_cast<void>(device);
  return MakeGloo(store, rank, world_size, own_host, timeouts);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Rendezvous>> Rendezvous::Create(int port) {
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = true;
    options.waitWorkers = false;
    return std::make_shared<TcpRendezvous>(c10::make_intrusive<c10d::TCPStore>("localhost", options));
  } catch (const std::exception& e) {
    return Unavailable("the rendezvous store cannot be served", e);
  }
}

absl::StatusOr<std::unique_ptr<RankGroup>> RankGroup::Create(int rank, int world_size,
                                                             const RendezvousAddress& address,
                                                             const Rendezvous* store, torch::Device device,
                                                             const RankTimeouts& timeouts) {
  try {
    c10::intrusive_ptr<c10d::Store> shared;
    if (store != nullptr) {
      shared = static_cast<const TcpRendezvous*>(store)->store();
    } else {
      c10d::TCPStoreOptions options;
      options.port = static_cast<uint16_t>(address.port);
      options.waitWorkers = false;
      options.timeout = ToChrono(timeouts.join);
      shared = c10::make_intrusive<c10d::TCPStore>(address.host, options);
    }
    return std::make_unique<BackendGroup>(
        MakeBackend(shared, rank, world_size, address.own_host, device, timeouts));
  } catch (const std::exception& e) {
    return Unavailable("the ranks cannot meet", e);
  }
}

}  // namespace ip2p
