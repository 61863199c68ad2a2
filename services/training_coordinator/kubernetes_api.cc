#include "services/training_coordinator/kubernetes_api.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/json.h"
#include "common/base/retry_policy.h"
#include "common/http/retry_after.h"
#include "common/storage/read_file.h"
#include "services/training_coordinator/kubernetes_manifest.h"

namespace ip2p::training_coordinator {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxTokenBytes = 64 << 10;
constexpr int kWatchSeconds = 300;
constexpr size_t kMaxEventBytes = 4 << 20;
constexpr int kFirstError = 300;

std::string Escaped(const char* selector) {
  return absl::StrReplaceAll(selector, {{"=", "%3D"}, {"/", "%2F"}});
}

// Cuts a stream into lines of JSON.
class EventLines {
 public:
  explicit EventLines(std::function<void(const std::string&, const Json&)> on_event)
      : on_event_(std::move(on_event)) {}

  void Take(std::string_view piece) {
    buffer_.append(piece);
    for (size_t end = 0; (end = buffer_.find('\n')) != std::string::npos; buffer_.erase(0, end + 1)) {
      const Json event = Json::parse(buffer_.substr(0, end), nullptr, /*allow_exceptions=*/false);
      if (!event.is_object() || !event.contains("type") || !event["type"].is_string()) continue;
      const std::string type = event["type"].get<std::string>();
      const Json object = event.value("object", Json::object());
      if (type == "ERROR") {
        error_ = ApiFault("go on with its watch", object.value("code", 500), object.dump());
      } else {
        on_event_(type, object);
      }
    }
    if (buffer_.size() > kMaxEventBytes) buffer_.clear();  // no event of ours: a later list tells
  }
  const absl::Status& error() const { return error_; }

 private:
  const std::function<void(const std::string&, const Json&)> on_event_;
  std::string buffer_;
  absl::Status error_;
};

}  // namespace

std::string KubernetesApi::JobsPath() const {
  return absl::StrCat("/apis/batch/v1/namespaces/", access_.space, "/jobs");
}

HttpRequest KubernetesApi::Prepare(const std::string& method, const std::string& path,
                                   std::string body) const {
  HttpRequest request;
  request.method = method;
  request.url = absl::StrCat(access_.server, path);
  request.headers = {{"accept", "application/json"}};
  if (!body.empty()) request.headers.push_back({"content-type", "application/json"});
  request.body = std::move(body);
  request.total_timeout = absl::Seconds(30);
  return request;
}

Task<absl::StatusOr<std::string>> KubernetesApi::Send(const char* what, HttpRequest request,
                                                      CancelToken* cancel) {
  RetryPolicy policy;
  if (request.on_body != nullptr) policy.max_attempts = 1;  // what came of it can't be taken back
  for (int attempt = 1;; ++attempt) {
    HttpRequest attempted = request;
    if (!access_.token_file.empty()) {
      const absl::StatusOr<std::string> token =
          ReadFile(access_.token_file, "the service account's token", kMaxTokenBytes);
      if (!token.ok()) co_return token.status();
      std::string value = absl::StrCat("Bearer ", absl::StripAsciiWhitespace(*token));
      attempted.headers.push_back({"authorization", std::move(value)});
    }
    absl::StatusOr<HttpResponse> response = co_await http_->Send(std::move(attempted), cancel);
    if (absl::IsCancelled(response.status())) co_return response.status();
    FailedAttempt failed;
    failed.attempt = attempt;
    failed.now = loop_->Now();
    failed.random = random_();
    absl::Status fault;
    if (!response.ok()) {
      fault = absl::UnavailableError(
          absl::StrCat("the Kubernetes API can't be reached to ", what, ": ", response.status().message()));
    } else if (response->status < kFirstError) {
      co_return std::move(response->body);
    } else {
      fault = ApiFault(what, response->status, response->body);
      failed.retry_after = ParseRetryAfter(*response, loop_->Now());
      if (!absl::IsUnavailable(fault)) co_return fault;
    }
    const RetryDecision decision = NextRetry(policy, failed);
    if (decision.verdict != RetryVerdict::kWait) co_return fault;
    const absl::Status slept = co_await loop_->Sleep(decision.wait, cancel);
    if (!slept.ok()) co_return slept;
  }
}

Task<absl::StatusOr<Json>> KubernetesApi::SendForJson(const char* what, HttpRequest request,
                                                      CancelToken* cancel) {
  absl::StatusOr<std::string> body = co_await Send(what, std::move(request), cancel);
  if (!body.ok()) co_return body.status();
  Json json = Json::parse(*body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    co_return absl::UnavailableError(
        absl::StrCat("the Kubernetes API's answer to ", what, " is no JSON object"));
  }
  co_return json;
}

Task<absl::Status> KubernetesApi::CreateJob(std::string body, CancelToken* cancel) {
  HttpRequest request = Prepare("POST", JobsPath(), std::move(body));
  const absl::StatusOr<std::string> answer = co_await Send("create a Job", std::move(request), cancel);
  co_return answer.status();
}

Task<absl::StatusOr<Json>> KubernetesApi::GetJob(std::string name, CancelToken* cancel) {
  HttpRequest request = Prepare("GET", absl::StrCat(JobsPath(), "/", name), "");
  co_return co_await SendForJson("get a Job", std::move(request), cancel);
}

Task<absl::Status> KubernetesApi::DeleteJob(std::string name, CancelToken* cancel) {
  HttpRequest request =
      Prepare("DELETE", absl::StrCat(JobsPath(), "/", name, "?propagationPolicy=Foreground"), "");
  const absl::StatusOr<std::string> answer = co_await Send("delete a Job", std::move(request), cancel);
  co_return answer.status();
}

Task<absl::StatusOr<Json>> KubernetesApi::ListJobs(CancelToken* cancel) {
  HttpRequest request = Prepare("GET", absl::StrCat(JobsPath(), "?labelSelector=", Escaped(kManagedBy)), "");
  co_return co_await SendForJson("list Jobs", std::move(request), cancel);
}

Task<absl::StatusOr<Json>> KubernetesApi::ListPods(std::string job_name, CancelToken* cancel) {
  HttpRequest request =
      Prepare("GET",
              absl::StrCat("/api/v1/namespaces/", access_.space,
                           "/pods?labelSelector=", Escaped("batch.kubernetes.io/job-name="), job_name),
              "");
  co_return co_await SendForJson("list pods", std::move(request), cancel);
}

Task<absl::Status> KubernetesApi::WatchJobs(std::string version,
                                            std::function<void(const std::string&, const Json&)> on_event,
                                            CancelToken* cancel) {
  const auto lines = std::make_shared<EventLines>(std::move(on_event));
  HttpRequest request =
      Prepare("GET",
              absl::StrCat(JobsPath(), "?watch=1&allowWatchBookmarks=true&timeoutSeconds=", kWatchSeconds,
                           "&resourceVersion=", version, "&labelSelector=", Escaped(kManagedBy)),
              "");
  request.total_timeout = absl::Seconds(kWatchSeconds + 30);
  request.stall_timeout = request.total_timeout;  // a watch may be silent
  request.on_body = [lines](std::string_view piece) { lines->Take(piece); };
  const absl::StatusOr<std::string> answer = co_await Send("watch Jobs", std::move(request), cancel);
  if (!lines->error().ok()) co_return lines->error();
  co_return answer.status();
}

}  // namespace ip2p::training_coordinator
