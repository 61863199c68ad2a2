#include "services/training_coordinator/training_proto.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/rpc/duration_proto.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "services/training_coordinator/job_moves.h"
#include "services/training_coordinator/spec_check.h"

namespace ip2p::training_coordinator {
namespace {

namespace v1 = training::v1;

constexpr int kMaxPage = 1000;
constexpr int kMaxTail = 100000;
constexpr int kMaxIntervalMs = 60000;

bool IsRequestName(const std::string& text) {
  if (text.empty() || text.size() > 63) return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

// The same message always gives the same bytes.
std::string Bytes(const v1::JobSpec& spec) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    spec.SerializeToCodedStream(&coded);
  }
  return bytes;
}

absl::StatusOr<size_t> PageSize(bool given, int size) {
  if (!given) return size_t{100};
  if (size < 1 || size > kMaxPage) {
    return absl::InvalidArgumentError(absl::StrCat("page_size is ", size, "; wants 1..", kMaxPage));
  }
  return static_cast<size_t>(size);
}

absl::StatusOr<int64_t> PageToken(const std::string& token, int64_t first) {
  int64_t value = first;
  if (!token.empty() && (!absl::SimpleAtoi(token, &value) || value < 0)) {
    return absl::InvalidArgumentError("page_token is none; wants next_page_token of the page before");
  }
  return value;
}

v1::ValidationMetrics ToProto(const ValidationFigures& figures) {
  v1::ValidationMetrics wire;
  wire.set_step(figures.step);
  wire.set_loss(figures.loss);
  if (figures.clip_direction) wire.set_clip_direction(*figures.clip_direction);
  if (figures.clip_image) wire.set_clip_image(*figures.clip_image);
  return wire;
}

v1::TrainMetrics ToProto(const StepFigures& figures) {
  v1::TrainMetrics wire;
  wire.set_step(figures.step);
  wire.set_loss(figures.loss);
  wire.set_learning_rate(figures.learning_rate);
  wire.set_grad_norm(figures.grad_norm);
  *wire.mutable_step_duration() = DurationProto(figures.step_duration);
  wire.set_data_wait_share(figures.data_wait_share);
  wire.set_samples(figures.samples);
  if (figures.remaining) *wire.mutable_remaining() = DurationProto(*figures.remaining);
  if (figures.validation) *wire.mutable_validation() = ToProto(*figures.validation);
  return wire;
}

}  // namespace

absl::StatusOr<JobOrder> OrderFromProto(const v1::SubmitJobRequest& request,
                                        const SpecEnvironment& environment) {
  std::vector<std::string> faults;
  if (!IsRequestName(request.request_id())) {
    faults.emplace_back("request_id is missing or no name; wants [A-Za-z0-9-]{1,63}");
  }
  for (std::string& fault : SpecFaults(request.spec(), environment.slots)) faults.push_back(std::move(fault));
  v1::JobSpec spec = request.spec();
  FillDefaults(spec);
  if (faults.empty()) {  // defaults may not fit what was asked for
    faults = SpecFaults(spec, environment.slots);
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  JobOrder order;
  order.request_id = request.request_id();
  order.spec_digest = Sha256Hex(Bytes(spec));  // before what depends on this machine
  FillThreads(spec, environment.threads_per_slot);
  order.spec = Bytes(spec);
  order.plan = PlanOf(spec);
  return order;
}

absl::StatusOr<JobFilter> FilterFromProto(const v1::ListJobsRequest& request) {
  JobFilter filter;
  IP2P_ASSIGN_OR_RETURN(filter.limit, PageSize(request.has_page_size(), request.page_size()));
  IP2P_ASSIGN_OR_RETURN(filter.before, PageToken(request.page_token(), INT64_MAX));
  for (const int state : request.states()) {
    if (!v1::JobState_IsValid(state) || state == v1::JOB_STATE_UNSPECIFIED) {
      return absl::InvalidArgumentError(absl::StrCat("a state is ", state, "; wants one of the states"));
    }
    filter.states.push_back(static_cast<JobState>(state));
  }
  return filter;
}

absl::StatusOr<PromotionOrder> PromotionFromProto(const v1::PromoteCheckpointRequest& request) {
  if (!request.model().empty() && !IsName(request.model())) {
    return absl::InvalidArgumentError("model is no name; wants [a-z0-9-]{1,63}, or nothing for the default");
  }
  PromotionOrder order{.job_id = request.job_id(), .model = request.model()};
  if (request.has_step()) order.step = request.step();
  return order;
}

absl::StatusOr<PageOrder> PageFromProto(const v1::ListCheckpointsRequest& request) {
  PageOrder page;
  IP2P_ASSIGN_OR_RETURN(page.size, PageSize(request.has_page_size(), request.page_size()));
  IP2P_ASSIGN_OR_RETURN(const int64_t offset, PageToken(request.page_token(), 0));
  page.offset = static_cast<size_t>(offset);
  return page;
}

absl::StatusOr<LogOrder> LogOrderFromProto(const v1::StreamLogsRequest& request, int world_size) {
  LogOrder order{.job_id = request.job_id(), .follow = request.follow()};
  if (request.has_rank()) {
    if (request.rank() < 0 || request.rank() >= world_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("rank is ", request.rank(), "; wants 0..", world_size - 1));
    }
    order.rank = request.rank();
  }
  if (request.has_tail()) {
    if (request.tail() < 0 || request.tail() > kMaxTail) {
      return absl::InvalidArgumentError(absl::StrCat("tail is ", request.tail(), "; wants 0..", kMaxTail));
    }
    order.tail = request.tail();
  }
  return order;
}

absl::StatusOr<absl::Duration> WatchInterval(const v1::WatchJobRequest& request) {
  const int ms = request.has_min_interval_ms() ? request.min_interval_ms() : 500;
  if (ms >= 0 && ms <= kMaxIntervalMs) return absl::Milliseconds(ms);
  return absl::InvalidArgumentError(absl::StrCat("min_interval_ms is ", ms, "; wants 0..", kMaxIntervalMs));
}

ValidationFigures FromProto(const v1::ValidationMetrics& wire) {
  ValidationFigures figures{.step = wire.step(), .loss = wire.loss()};
  if (wire.has_clip_direction()) figures.clip_direction = wire.clip_direction();
  if (wire.has_clip_image()) figures.clip_image = wire.clip_image();
  return figures;
}

StepFigures FromProto(const v1::TrainMetrics& wire) {
  StepFigures figures{.step = wire.step(),
                      .loss = wire.loss(),
                      .learning_rate = wire.learning_rate(),
                      .grad_norm = wire.grad_norm(),
                      .step_duration = ip2p::FromProto(wire.step_duration()),
                      .data_wait_share = wire.data_wait_share(),
                      .samples = wire.samples()};
  if (wire.has_remaining()) figures.remaining = ip2p::FromProto(wire.remaining());
  if (wire.has_validation()) figures.validation = FromProto(wire.validation());
  return figures;
}

v1::Job ToProto(const JobView& view) {
  const Job& job = view.job;
  v1::Job wire;
  wire.set_id(job.id);
  wire.set_request_id(job.request_id);
  wire.mutable_spec()->ParseFromString(job.spec);
  wire.set_state(static_cast<v1::JobState>(job.state));
  wire.set_error(job.error);
  if (job.figures) *wire.mutable_metrics() = ToProto(*job.figures);
  wire.set_restarts(job.restarts);
  wire.set_queue_position(view.queue_position);
  *wire.mutable_create_time() = TimestampProto(job.create_time);
  if (job.start_time != absl::InfinitePast()) *wire.mutable_start_time() = TimestampProto(job.start_time);
  if (job.finish_time != absl::InfinitePast()) *wire.mutable_finish_time() = TimestampProto(job.finish_time);
  wire.set_epoch(job.epoch);
  return wire;
}

v1::Checkpoint ToProto(const CheckpointRecord& checkpoint) {
  v1::Checkpoint wire;
  wire.set_job_id(checkpoint.job_id);
  wire.set_step(checkpoint.step);
  *wire.mutable_create_time() = TimestampProto(checkpoint.create_time);
  wire.set_size_bytes(checkpoint.size_bytes);
  wire.set_loss(checkpoint.loss);
  if (checkpoint.validation) *wire.mutable_validation() = ToProto(*checkpoint.validation);
  for (const std::string& name : checkpoint.promoted_to) wire.add_promoted_to(name);
  return wire;
}

v1::LogLine ToProto(const LogEntry& entry) {
  v1::LogLine wire;
  *wire.mutable_time() = TimestampProto(entry.time);
  wire.set_rank(entry.rank);
  wire.set_epoch(entry.epoch);
  wire.set_text(entry.text);
  return wire;
}

}  // namespace ip2p::training_coordinator
