// Handlers translate; they run on the pool's threads and may be asked again (waiting_call.h).
#include "services/training_coordinator/training_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/training_coordinator/job_moves.h"

namespace ip2p::training_coordinator {
namespace {

namespace v1 = training::v1;

constexpr size_t kLogLines = 1000;  // a message
constexpr absl::Duration kLongestPromotion = absl::Minutes(15);

template <typename Response>
Answer<Response> WithJob(const absl::StatusOr<JobView>& view) {
  if (!view.ok()) return view.status();
  Response response;
  *response.mutable_job() = ToProto(*view);
  return std::optional<Response>(std::move(response));
}

// Waits for the state that was ordered. FAILED_PRECONDITION when the job went another way.
template <typename Response>
Answer<Response> UntilState(const absl::StatusOr<JobView>& view, JobState wanted, const char* what_for) {
  if (!view.ok()) return view.status();
  const Job& job = view->job;
  if (job.state == wanted) return WithJob<Response>(view);
  if (job.state == JobState::kRunning && job.wish != Wish::kNone) return std::optional<Response>();
  return WantsState(job, wanted, what_for);
}

}  // namespace

TrainingService::Unary* TrainingService::SubmitJob(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::SubmitJobRequest, v1::SubmitJobResponse>::Begin(
      context, parts_.calls, "SubmitJob", request, response,
      [this](const v1::SubmitJobRequest& wire) -> Answer<v1::SubmitJobResponse> {
        IP2P_ASSIGN_OR_RETURN(const JobOrder order, OrderFromProto(wire, parts_.environment));
        return WithJob<v1::SubmitJobResponse>(parts_.coordinator->Submit(order));
      });
}

TrainingService::Unary* TrainingService::GetJob(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::GetJobRequest, v1::GetJobResponse>::Begin(
      context, parts_.calls, "GetJob", request, response, [this](const v1::GetJobRequest& wire) {
        return WithJob<v1::GetJobResponse>(parts_.coordinator->Get(wire.job_id()));
      });
}

TrainingService::Unary* TrainingService::ListJobs(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::ListJobsRequest, v1::ListJobsResponse>::Begin(
      context, parts_.calls, "ListJobs", request, response,
      [this](const v1::ListJobsRequest& wire) -> Answer<v1::ListJobsResponse> {
        IP2P_ASSIGN_OR_RETURN(const JobFilter filter, FilterFromProto(wire));
        const JobPage page = parts_.coordinator->List(filter);
        v1::ListJobsResponse list;
        for (const JobView& view : page.jobs) *list.add_jobs() = ToProto(view);
        if (page.before) list.set_next_page_token(absl::StrCat(*page.before));
        return std::optional<v1::ListJobsResponse>(std::move(list));
      });
}

TrainingService::Stream* TrainingService::WatchJob(Context* context, const Bytes* request) {
  struct Seen {
    uint64_t version = 0;
    JobState state = JobState::kQueued;
    absl::Time when = absl::InfinitePast();
  };
  return StreamCall<v1::WatchJobRequest, v1::WatchJobResponse>::Begin(
      context, parts_.calls, "WatchJob", request,
      [this, seen = Seen()](const v1::WatchJobRequest& wire) mutable -> Answer<v1::WatchJobResponse> {
        IP2P_ASSIGN_OR_RETURN(const absl::Duration interval, WatchInterval(wire));
        IP2P_ASSIGN_OR_RETURN(const JobView view, parts_.coordinator->Get(wire.job_id()));
        const bool moved = seen.version == 0 || view.job.state != seen.state;
        if (!moved && IsFinal(seen.state)) return absl::OutOfRangeError("that was the last");
        const absl::Time now = parts_.calls.calls.clock->Now();
        if (!moved && (view.version == seen.version || now - seen.when < interval)) {
          return std::optional<v1::WatchJobResponse>();
        }
        seen = {view.version, view.job.state, now};
        return WithJob<v1::WatchJobResponse>(view);
      });
}

TrainingService::Stream* TrainingService::StreamLogs(Context* context, const Bytes* request) {
  struct Reading {
    std::optional<LogOrder> order;
    std::shared_ptr<LogBook> book;
    LogPosition at;
  };
  return StreamCall<v1::StreamLogsRequest, v1::StreamLogsResponse>::Begin(
      context, parts_.slow_calls, "StreamLogs", request,
      [this,
       reading = Reading()](const v1::StreamLogsRequest& wire) mutable -> Answer<v1::StreamLogsResponse> {
        // The state before the lines: what is written before a job ends isn't missed.
        IP2P_ASSIGN_OR_RETURN(const JobView view, parts_.coordinator->Get(wire.job_id()));
        if (!reading.order) {
          IP2P_ASSIGN_OR_RETURN(reading.order, LogOrderFromProto(wire, view.job.plan.world_size));
          reading.book = parts_.logs->Of(view.job.id, parts_.folders->LogFolder(view.job.id));
          if (reading.order->tail) {
            IP2P_ASSIGN_OR_RETURN(reading.at, reading.book->Tail(*reading.order->tail, reading.order->rank));
          }
        }
        IP2P_ASSIGN_OR_RETURN(const LogPiece piece,
                              reading.book->Read(reading.at, kLogLines, reading.order->rank));
        reading.at = piece.next;
        if (piece.lines.empty()) {
          const bool more_may_come = !IsFinal(view.job.state) || view.job.launched;
          if (reading.order->follow && more_may_come) return std::optional<v1::StreamLogsResponse>();
          return absl::OutOfRangeError("that was the last");
        }
        v1::StreamLogsResponse lines;
        for (const LogEntry& entry : piece.lines) *lines.add_lines() = ToProto(entry);
        return std::optional<v1::StreamLogsResponse>(std::move(lines));
      });
}

TrainingService::Unary* TrainingService::PauseJob(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::PauseJobRequest, v1::PauseJobResponse>::Begin(
      context, parts_.calls, "PauseJob", request, response,
      [this, ordered = false](const v1::PauseJobRequest& wire) mutable -> Answer<v1::PauseJobResponse> {
        if (!ordered) IP2P_RETURN_IF_ERROR(parts_.coordinator->Pause(wire.job_id()).status());
        ordered = true;
        return UntilState<v1::PauseJobResponse>(parts_.coordinator->Get(wire.job_id()), JobState::kPaused,
                                                "after it was asked to pause");
      });
}

TrainingService::Unary* TrainingService::ResumeJob(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::ResumeJobRequest, v1::ResumeJobResponse>::Begin(
      context, parts_.calls, "ResumeJob", request, response, [this](const v1::ResumeJobRequest& wire) {
        std::optional<int64_t> from_step;
        if (wire.has_from_step()) from_step = wire.from_step();
        return WithJob<v1::ResumeJobResponse>(parts_.coordinator->Resume(wire.job_id(), from_step));
      });
}

TrainingService::Unary* TrainingService::CancelJob(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::CancelJobRequest, v1::CancelJobResponse>::Begin(
      context, parts_.calls, "CancelJob", request, response,
      [this, ordered = false](const v1::CancelJobRequest& wire) mutable -> Answer<v1::CancelJobResponse> {
        if (!ordered) {
          IP2P_RETURN_IF_ERROR(parts_.coordinator->Cancel(wire.job_id(), wire.save_checkpoint()).status());
        }
        ordered = true;
        return UntilState<v1::CancelJobResponse>(parts_.coordinator->Get(wire.job_id()), JobState::kCancelled,
                                                 "after it was asked to end");
      });
}

TrainingService::Unary* TrainingService::SaveCheckpoint(Context* context, const Bytes* request,
                                                        Bytes* response) {
  return UnaryCall<v1::SaveCheckpointRequest, v1::SaveCheckpointResponse>::Begin(
      context, parts_.calls, "SaveCheckpoint", request, response,
      [this, step = std::optional<int64_t>()](
          const v1::SaveCheckpointRequest& wire) mutable -> Answer<v1::SaveCheckpointResponse> {
        if (!step) {
          IP2P_ASSIGN_OR_RETURN(step, parts_.coordinator->OrderSave(wire.job_id()));
        }
        IP2P_ASSIGN_OR_RETURN(const std::optional<CheckpointRecord> saved,
                              parts_.coordinator->FindSaved(wire.job_id(), *step));
        if (!saved) return std::optional<v1::SaveCheckpointResponse>();
        v1::SaveCheckpointResponse done;
        *done.mutable_checkpoint() = ToProto(*saved);
        return std::optional<v1::SaveCheckpointResponse>(std::move(done));
      });
}

TrainingService::Unary* TrainingService::ListCheckpoints(Context* context, const Bytes* request,
                                                         Bytes* response) {
  return UnaryCall<v1::ListCheckpointsRequest, v1::ListCheckpointsResponse>::Begin(
      context, parts_.calls, "ListCheckpoints", request, response,
      [this](const v1::ListCheckpointsRequest& wire) -> Answer<v1::ListCheckpointsResponse> {
        IP2P_ASSIGN_OR_RETURN(const PageOrder page, PageFromProto(wire));
        IP2P_ASSIGN_OR_RETURN(const std::vector<CheckpointRecord> all,
                              parts_.coordinator->Checkpoints(wire.job_id()));
        v1::ListCheckpointsResponse list;
        const size_t end = std::min(all.size(), page.offset + page.size);
        for (size_t i = page.offset; i < end; ++i) *list.add_checkpoints() = ToProto(all[i]);
        if (end < all.size()) list.set_next_page_token(absl::StrCat(end));
        return std::optional<v1::ListCheckpointsResponse>(std::move(list));
      });
}

TrainingService::Unary* TrainingService::PromoteCheckpoint(Context* context, const Bytes* request,
                                                           Bytes* response) {
  const absl::Time latest = std::min(absl::FromChrono(context->deadline()), absl::Now() + kLongestPromotion);
  return UnaryCall<v1::PromoteCheckpointRequest, v1::PromoteCheckpointResponse>::Begin(
      context, parts_.slow_calls, "PromoteCheckpoint", request, response,
      [this, latest](const v1::PromoteCheckpointRequest& wire) -> Answer<v1::PromoteCheckpointResponse> {
        IP2P_ASSIGN_OR_RETURN(const PromotionOrder order, PromotionFromProto(wire));
        IP2P_ASSIGN_OR_RETURN(const Promoted promoted,
                              parts_.promotion->Promote(order.job_id, order.step, order.model, latest));
        v1::PromoteCheckpointResponse done;
        *done.mutable_checkpoint() = ToProto(promoted.checkpoint);
        done.set_model(promoted.model);
        return std::optional<v1::PromoteCheckpointResponse>(std::move(done));
      });
}

TrainingService::Unary* TrainingService::DeleteJob(Context* context, const Bytes* request, Bytes* response) {
  return UnaryCall<v1::DeleteJobRequest, v1::DeleteJobResponse>::Begin(
      context, parts_.slow_calls, "DeleteJob", request, response,
      [this](const v1::DeleteJobRequest& wire) -> Answer<v1::DeleteJobResponse> {
        IP2P_ASSIGN_OR_RETURN(const bool deleted, parts_.coordinator->Delete(wire.job_id()));
        if (!deleted) return std::optional<v1::DeleteJobResponse>();
        parts_.logs->Forget(wire.job_id());
        return std::optional<v1::DeleteJobResponse>(std::in_place);
      });
}

}  // namespace ip2p::training_coordinator
