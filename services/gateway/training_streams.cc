#include "services/gateway/training_streams.h"

#include <memory>

#include "common/base/status_macros.h"
#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "services/gateway/edit_api.h"
#include "services/gateway/json_body.h"
#include "services/gateway/proto_json.h"

namespace ip2p::gateway {
namespace {

namespace v1 = training::v1;

constexpr absl::Duration kWatchTimeout = absl::Hours(24 * 30);  // a training run's length
constexpr int64_t kMaxTail = 10'000;
constexpr int64_t kDefaultTail = 500;

template <typename Request, typename Response, typename Take>
absl::Status ReadStream(const Upstream& upstream, const WebRequest& request, const Request& question,
                        std::unique_ptr<grpc::ClientReader<Response>> (v1::TrainingService::Stub::*method)(
                            grpc::ClientContext*, const Request&),
                        const Take& take) {
  IP2P_RETURN_IF_ERROR(upstream.Present());
  grpc::ClientContext context;
  upstream.Prepare(context, request, kWatchTimeout);
  const Departure::Scope scope(*request.departure, [&context] { context.TryCancel(); });
  const auto stub = v1::TrainingService::NewStub(upstream.channel());
  const auto reader = ((*stub).*method)(&context, question);
  Response message;
  while (reader->Read(&message)) {
    if (!take(message)) context.TryCancel();
  }
  return upstream.Said(context, reader->Finish());
}

}  // namespace

absl::StatusOr<WebAnswer> WatchJob(const Upstream& upstream, const WebRequest& request, EventSink& events) {
  v1::WatchJobRequest question;
  question.set_job_id(request.parts[0]);
  IP2P_RETURN_IF_ERROR(ReadStream(upstream, request, question, &v1::TrainingService::Stub::WatchJob,
                                  [&](const v1::WatchJobResponse& message) {
                                    return events.Send("job", JsonText(ToJson(message.job())));
                                  }));
  events.Send("done", "{}");
  return WebAnswer();
}

absl::StatusOr<WebAnswer> JobLogs(const Upstream& upstream, const WebRequest& request, EventSink& events) {
  v1::StreamLogsRequest question;
  question.set_job_id(request.parts[0]);
  IP2P_ASSIGN_OR_RETURN(const int64_t tail, QueryNumber(request, "tail", kDefaultTail, 1, kMaxTail));
  question.set_tail(static_cast<int32_t>(tail));
  IP2P_ASSIGN_OR_RETURN(const int64_t rank, QueryNumber(request, "rank", -1, 0, 1023));
  if (rank >= 0) question.set_rank(static_cast<int32_t>(rank));
  const bool streams = WantsEvents(request);
  question.set_follow(streams);
  nlohmann::json lines = nlohmann::json::array();
  IP2P_RETURN_IF_ERROR(ReadStream(upstream, request, question, &v1::TrainingService::Stub::StreamLogs,
                                  [&](const v1::StreamLogsResponse& message) {
                                    nlohmann::json told = ToJson(message);
                                    if (streams) return events.Send("lines", JsonText(told));
                                    for (nlohmann::json& line : told["lines"])
                                      lines.push_back(std::move(line));
                                    return true;
                                  }));
  if (!streams) return JsonAnswer({{"lines", std::move(lines)}});
  events.Send("done", "{}");
  return WebAnswer();
}

}  // namespace ip2p::gateway
