#include "services/gateway/training_api.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "services/gateway/json_body.h"
#include "services/gateway/proto_json.h"
#include "services/gateway/training_files.h"
#include "services/gateway/training_streams.h"

namespace ip2p::gateway {
namespace {

namespace v1 = training::v1;
using v1::TrainingService;
using Stub = TrainingService::Stub;

// A checkpoint is gigabytes after a step that may take minutes.
constexpr absl::Duration kSaveTimeout = absl::Minutes(30);
constexpr size_t kMaxValidations = 20;

template <typename Request, typename Response>
absl::StatusOr<WebAnswer> Answered(
    const TrainingParts& parts, const WebRequest& request, absl::Duration timeout,
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& question) {
  Response answer;
  IP2P_RETURN_IF_ERROR(parts.upstream->Ask<TrainingService>(request, timeout, method, question, &answer));
  return JsonAnswer(ToJson(answer));
}

// A call about one job, whose other fields are the body's.
template <typename Request, typename Response>
void AddMove(Router& router, const TrainingParts& parts, const char* verb, absl::Duration timeout,
             grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  router.Add(
      {.method = "POST",
       .pattern = absl::StrCat("/api/v1/training/jobs/{job}/", verb),
       .handler = [parts, timeout, method](WebRequest& request, EventSink&) -> absl::StatusOr<WebAnswer> {
         IP2P_ASSIGN_OR_RETURN(nlohmann::json body, ParseBody(request.body));
         body.erase("job_id");  // the path says which
         Request question;
         IP2P_RETURN_IF_ERROR(FromJson(body, "", &question));
         question.set_job_id(request.parts[0]);
         return Answered(parts, request, timeout, method, question);
       },
       .long_lived = timeout > kAskTimeout});
}

absl::StatusOr<WebAnswer> List(const TrainingParts& parts, const WebRequest& request) {
  v1::ListJobsRequest question;
  nlohmann::json fields = nlohmann::json::object();
  for (const char* name : {"page_size", "page_token"}) {
    if (const std::string* value = request.Query(name)) fields[name] = *value;
  }
  if (const std::string* state = request.Query("state")) fields["states"] = nlohmann::json::array({*state});
  IP2P_RETURN_IF_ERROR(FromJson(fields, "", &question));
  return Answered(parts, request, kAskTimeout, &Stub::ListJobs, question);
}

absl::StatusOr<WebAnswer> Submit(const TrainingParts& parts, const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(nlohmann::json body, ParseBody(request.body));
  v1::SubmitJobRequest question;
  question.set_request_id(request.request_id);
  IP2P_RETURN_IF_ERROR(FromJson(body, "", &question));
  return Answered(parts, request, kAskTimeout, &Stub::SubmitJob, question);
}

// The run's folder, after the coordinator has said that this caller may see the job.
absl::StatusOr<std::string> RunOf(const TrainingParts& parts, const WebRequest& request) {
  if (parts.data_dir.empty()) {
    return absl::FailedPreconditionError("this gateway was started without --training-data-dir");
  }
  v1::GetJobRequest question;
  question.set_job_id(request.parts[0]);
  v1::GetJobResponse answer;
  IP2P_RETURN_IF_ERROR(
      parts.upstream->Ask<TrainingService>(request, kAskTimeout, &Stub::GetJob, question, &answer));
  return absl::StrCat(parts.data_dir, "/jobs/", answer.job().id());
}

absl::StatusOr<WebAnswer> Curve(const TrainingParts& parts, const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(const int64_t points, QueryNumber(request, "points", 400, 2, 5000));
  IP2P_ASSIGN_OR_RETURN(const std::string run, RunOf(parts, request));
  nlohmann::json answer = {{"points", nlohmann::json::array()}};
  for (const CurvePoint& point : ReadCurve(run, static_cast<int>(points))) {
    answer["points"].push_back({{"step", point.step}, {"loss", point.loss}, {"lr", point.lr}});
  }
  return JsonAnswer(answer);
}

absl::StatusOr<WebAnswer> Validations(const TrainingParts& parts, const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(const std::string run, RunOf(parts, request));
  nlohmann::json answer = {{"validations", nlohmann::json::array()}};
  for (const ValidationFolder& folder : ListValidations(run, kMaxValidations)) {
    answer["validations"].push_back(
        {{"step", folder.step}, {"metrics", folder.metrics}, {"images", folder.images}});
  }
  return JsonAnswer(answer);
}

absl::StatusOr<WebAnswer> ValidationImage(const TrainingParts& parts, const WebRequest& request) {
  int64_t step = 0;
  if (!absl::SimpleAtoi(request.parts[1], &step) || step < 0)
    return absl::NotFoundError("no such validation");
  IP2P_ASSIGN_OR_RETURN(const std::string run, RunOf(parts, request));
  WebAnswer answer{.type = "image/png"};
  IP2P_ASSIGN_OR_RETURN(answer.body, ReadValidationImage(run, step, request.parts[2]));
  answer.headers.emplace_back("Cache-Control", "private, max-age=300");
  return answer;
}

// A call about one job without further fields.
template <typename Request, typename Response>
Handler About(const TrainingParts& parts, absl::Duration timeout,
              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  return [parts, timeout, method](WebRequest& request, EventSink&) {
    Request question;
    question.set_job_id(request.parts[0]);
    return Answered(parts, request, timeout, method, question);
  };
}

}  // namespace

void AddTrainingRoutes(Router& router, const TrainingParts& parts) {
  const std::string jobs = "/api/v1/training/jobs";
  const auto get = [&router](std::string pattern, Handler handler, bool long_lived = false) {
    router.Add({.method = "GET",
                .pattern = std::move(pattern),
                .handler = std::move(handler),
                .long_lived = long_lived});
  };
  get(jobs, [parts](WebRequest& request, EventSink&) { return List(parts, request); });
  router.Add({.method = "POST", .pattern = jobs, .handler = [parts](WebRequest& request, EventSink&) {
                return Submit(parts, request);
              }});
  const std::string job = jobs + "/{job}";
  get(job, About(parts, kAskTimeout, &Stub::GetJob));
  router.Add({.method = "DELETE", .pattern = job, .handler = About(parts, kSaveTimeout, &Stub::DeleteJob)});
  get(job + "/checkpoints", About(parts, kAskTimeout, &Stub::ListCheckpoints));
  get(
      job + "/watch",
      [parts](WebRequest& request, EventSink& events) { return WatchJob(*parts.upstream, request, events); },
      true);
  get(
      job + "/logs",
      [parts](WebRequest& request, EventSink& events) { return JobLogs(*parts.upstream, request, events); },
      true);
  AddMove(router, parts, "pause", kSaveTimeout, &Stub::PauseJob);
  AddMove(router, parts, "resume", kAskTimeout, &Stub::ResumeJob);
  AddMove(router, parts, "cancel", kSaveTimeout, &Stub::CancelJob);
  AddMove(router, parts, "save", kSaveTimeout, &Stub::SaveCheckpoint);
  AddMove(router, parts, "promote", kSaveTimeout, &Stub::PromoteCheckpoint);
  get(job + "/curve", [parts](WebRequest& request, EventSink&) { return Curve(parts, request); });
  get(job + "/validations", [parts](WebRequest& request, EventSink&) { return Validations(parts, request); });
  get(job + "/validations/{step}/{image}",
      [parts](WebRequest& request, EventSink&) { return ValidationImage(parts, request); });
}

}  // namespace ip2p::gateway
