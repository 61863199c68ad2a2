// See rank_group.h and rendezvous.h.
#include "common/training/rank_group.h"

#include <chrono>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

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

class GlooPending final : public RankGroup::Pending {
 public:
  explicit GlooPending(c10::intrusive_ptr<c10d::Work> work) : work_(std::move(work)) {}
  void Wait() override { work_->wait(); }

 private:
  const c10::intrusive_ptr<c10d::Work> work_;
};

class GlooGroup final : public RankGroup {
 public:
  explicit GlooGroup(c10::intrusive_ptr<c10d::ProcessGroupGloo> group) : group_(std::move(group)) {}
  int rank() const override { return group_->getRank(); }
  int world_size() const override { return group_->getSize(); }
  std::unique_ptr<Pending> StartSum(torch::Tensor& tensor) override {
    std::vector<torch::Tensor> tensors = {tensor};
    return std::make_unique<GlooPending>(group_->allreduce(tensors));
  }

 private:
  const c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

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
                                                             const Rendezvous* store,
                                                             absl::Duration timeout) {
  try {
    const std::chrono::milliseconds wait(absl::ToInt64Milliseconds(timeout));
    c10::intrusive_ptr<c10d::Store> shared;
    if (store != nullptr) {
      shared = static_cast<const TcpRendezvous*>(store)->store();
    } else {
      c10d::TCPStoreOptions options;
      options.port = static_cast<uint16_t>(address.port);
      options.waitWorkers = false;
      options.timeout = wait;
      shared = c10::make_intrusive<c10d::TCPStore>(address.host, options);
    }
    const auto options = c10d::ProcessGroupGloo::Options::create(wait);
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(address.own_host));
    return std::make_unique<GlooGroup>(
        c10::make_intrusive<c10d::ProcessGroupGloo>(shared, rank, world_size, options));
  } catch (const std::exception& e) {
    return Unavailable("the ranks cannot meet", e);
  }
}

}  // namespace ip2p
