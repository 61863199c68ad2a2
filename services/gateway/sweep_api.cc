// Some cells are under way at once, since the edit server denoises edits of one size together.
#include "services/gateway/sweep_api.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "services/gateway/edit_form_proto.h"
#include "services/gateway/json_body.h"
#include "services/gateway/proto_json.h"

namespace ip2p::gateway {
namespace {

using nlohmann::json;

constexpr int kLanes = 4;

class SweepRun {
 public:
  SweepRun(const EditApiParts& parts, const WebRequest& request, Sweep sweep, EventSink* events)
      : parts_(parts), request_(request), sweep_(std::move(sweep)), events_(events) {
    edit::v1::EditParams& params = *sweep_.edit.mutable_edit()->mutable_params();
    if (!params.has_seed()) params.set_seed(RandomUint32());
    cells_.resize(sweep_.cfg_text.size() * sweep_.cfg_image.size());
  }

  absl::StatusOr<json> Run() {
    const json head = {{"seed", sweep_.edit.edit().params().seed()},
                       {"cfg_text", sweep_.cfg_text},
                       {"cfg_image", sweep_.cfg_image},
                       {"request_id", request_.request_id}};
    if (events_ != nullptr) events_->Send("started", JsonText(head));
    std::vector<std::thread> lanes;
    for (size_t i = 0; i < std::min<size_t>(kLanes, cells_.size()); ++i)
      lanes.emplace_back([this] { Lane(); });
    for (std::thread& lane : lanes) lane.join();
    absl::MutexLock lock(&mutex_);
    IP2P_RETURN_IF_ERROR(failure_);
    json answer = head;
    answer["cells"] = events_ == nullptr ? json(std::move(cells_)) : json(cells_.size());
    return answer;
  }

 private:
  void Lane() {
    for (;;) {
      size_t cell = 0;
      {
        absl::MutexLock lock(&mutex_);
        if (!failure_.ok() || next_ == cells_.size()) return;
        cell = next_++;
      }
      absl::StatusOr<json> made = Make(cell);
      absl::MutexLock lock(&mutex_);
      if (!made.ok()) {
        if (failure_.ok()) failure_ = made.status();
        request_.departure->Announce();  // the other lanes' cells are of no use now
        return;
      }
      ++done_;
      if (events_ != nullptr) {
        events_->Send("cell", JsonText(*made));
      } else {
        cells_[cell] = *std::move(made);
      }
    }
  }

  absl::StatusOr<json> Make(size_t cell) {
    const size_t row = cell / sweep_.cfg_text.size();
    const size_t column = cell % sweep_.cfg_text.size();
    edit::v1::StreamEditRequest edit = sweep_.edit;
    edit.set_preview_every(0);
    edit::v1::EditParams& params = *edit.mutable_edit()->mutable_params();
    params.set_cfg_text(sweep_.cfg_text[column]);
    params.set_cfg_image(sweep_.cfg_image[row]);
    edit.mutable_edit()->clear_request_id();  // names one edit, not many
    IP2P_ASSIGN_OR_RETURN(const edit::v1::EditResult result,
                          RunEdit(parts_, request_, edit, [this](const edit::v1::StreamEditResponse& event) {
                            return !event.has_progress() || Tell(event.progress());
                          }));
    json told = ToJson(result);
    told["row"] = row;
    told["column"] = column;
    return told;
  }

  bool Tell(const edit::v1::EditProgress& progress) {
    if (events_ == nullptr) return true;
    absl::MutexLock lock(&mutex_);
    return events_->Send("progress", JsonText({{"done", done_},
                                               {"cells", cells_.size()},
                                               {"step", progress.step()},
                                               {"steps", progress.steps()}}));
  }

  const EditApiParts& parts_;
  const WebRequest& request_;
  Sweep sweep_;
  EventSink* const events_;
  absl::Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<json> cells_;  // its size is fixed; elements are guarded
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<WebAnswer> RunSweep(const EditApiParts& parts, WebRequest& request, EventSink& events) {
  IP2P_ASSIGN_OR_RETURN(Sweep sweep, SweepFromRequest(request));
  request.body = std::string();
  const RunningWork::Scope running(*parts.running, request.caller, request.request_id, request.departure);
  IP2P_RETURN_IF_ERROR(running.status());
  IP2P_RETURN_IF_ERROR(parts.upstream->Present());
  const bool streams = WantsEvents(request);
  IP2P_ASSIGN_OR_RETURN(const json answer,
                        SweepRun(parts, request, std::move(sweep), streams ? &events : nullptr).Run());
  if (!streams) return JsonAnswer(answer);
  events.Send("done", JsonText(answer));
  return WebAnswer();
}

}  // namespace

void AddSweepRoutes(Router& router, const EditApiParts& parts) {
  router.Add({.method = "POST",
              .pattern = "/api/v1/sweep",
              .handler = [parts](WebRequest& request,
                                 EventSink& events) { return RunSweep(parts, request, events); },
              .long_lived = true,
              .max_body_bytes = parts.max_body_bytes,
              .takes_form = true});
}

}  // namespace ip2p::gateway
