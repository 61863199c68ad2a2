#include "common/openai/finetune.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/hash128.h"
#include "common/openai/endpoints.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxTextBytes = 4096;
constexpr int kPage = 100;
constexpr size_t kMostEvents = 2000;
constexpr size_t kMostRemembered = 1000;
constexpr const char* kIdKey = "ip2p_request_id";
constexpr const char* kDigestKey = "ip2p_digest";

FinetuneState StateOf(const std::string& name) {
  static constexpr std::pair<const char*, FinetuneState> kStates[] = {
      {"validating_files", FinetuneState::kValidating},
      {"queued", FinetuneState::kQueued},
      {"running", FinetuneState::kRunning},
      {"succeeded", FinetuneState::kSucceeded},
      {"failed", FinetuneState::kFailed},
      {"cancelled", FinetuneState::kCancelled}};
  for (const auto& [known, state] : kStates) {
    if (name == known) return state;
  }
  return FinetuneState::kUnknown;
}

absl::StatusOr<FinetuneJob> ReadJob(const Json& answer) {
  FinetuneJob job;
  job.id = TextField(answer, "id");
  if (!IsProviderId(job.id)) return Lacks("a job's id");
  job.state = StateOf(TextField(answer, "status"));
  job.base_model = TextField(answer, "model");
  job.fine_tuned_model = TextField(answer, "fine_tuned_model");
  job.created = TimeField(answer, "created_at");
  job.finished = TimeField(answer, "finished_at");
  job.trained_tokens = CountField(answer, "trained_tokens");
  if (const auto error = answer.find("error"); error != answer.end()) {
    job.error = TextField(*error, "message", kMaxTextBytes);
  }
  return job;
}

// Codes as this API's callers know them; `refused` is what a 400 means to this call.
absl::Status StatusOf(const ApiReply& reply, absl::StatusCode refused) {
  const absl::string_view text = reply.status.message();
  switch (reply.end) {
    case ApiEnd::kCancelled:
      return absl::CancelledError("cancelled");
    case ApiEnd::kFatal:
      return absl::IsUnavailable(reply.status) ? reply.status : absl::FailedPreconditionError(text);
    default:
      break;
  }
  if (absl::IsNotFound(reply.status)) return absl::NotFoundError(text);
  if (absl::IsPermissionDenied(reply.status)) return absl::FailedPreconditionError(text);
  if (absl::IsInvalidArgument(reply.status)) return absl::Status(refused, text);
  return absl::UnavailableError(reply.end == ApiEnd::kRefused ? "the provider's content filter refused"
                                                              : text);
}

absl::Status UnknownJob() { return absl::NotFoundError("no such job; wants the id of one"); }

std::string DigestOf(const FinetuneOrder& order) {
  std::string all;
  for (const std::string* part :
       {&order.training_file, &order.validation_file, &order.base_model, &order.suffix}) {
    absl::StrAppend(&all, part->size(), ":", *part);
  }
  absl::StrAppend(&all, order.epochs.value_or(0));
  const Hash128 hash = HashText(all);
  return absl::StrFormat("%016x%016x", hash.high, hash.low);
}

absl::Status OtherOrder() {
  return absl::AlreadyExistsError("request_id was used with another order; wants a new one");
}

}  // namespace

Task<absl::StatusOr<std::string>> FinetuneClient::Upload(std::string name, std::string contents,
                                                         CancelToken* cancel) {
  ApiRequest request = UploadRequest("fine-tune", name, contents);
  const ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
  if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply, absl::StatusCode::kInvalidArgument);
  std::string id = TextField(reply.answer, "id");
  if (!IsProviderId(id)) co_return Lacks("a file's id");
  co_return id;
}

Task<absl::StatusOr<std::optional<FinetuneJob>>> FinetuneClient::FindStarted(std::string request_id,
                                                                             std::string digest,
                                                                             CancelToken* cancel) {
  for (const Started& started : started_) {
    if (started.request_id != request_id) continue;
    if (started.digest != digest) co_return OtherOrder();
    absl::StatusOr<FinetuneJob> job = co_await Get(started.job, cancel);
    if (!job.ok()) co_return job.status();
    co_return std::optional<FinetuneJob>(*std::move(job));
  }
  ApiRequest request = GetRequest(absl::StrCat("/fine_tuning/jobs", PageQuery(kPage, "")));
  const ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
  if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply, absl::StatusCode::kFailedPrecondition);
  for (const Json& item : ListField(reply.answer)) {
    const auto metadata = MetadataField(item);
    const auto id = metadata.find(kIdKey);
    if (id == metadata.end() || id->second != request_id) continue;
    const auto other = metadata.find(kDigestKey);
    if (other == metadata.end() || other->second != digest) co_return OtherOrder();
    absl::StatusOr<FinetuneJob> job = ReadJob(item);
    if (!job.ok()) co_return job.status();
    co_return std::optional<FinetuneJob>(*std::move(job));
  }
  co_return std::optional<FinetuneJob>();
}

Task<absl::StatusOr<FinetuneJob>> FinetuneClient::Start(FinetuneOrder order, CancelToken* cancel) {
  const absl::Status admitted = co_await starting_.Acquire(cancel);
  if (!admitted.ok()) co_return admitted;
  absl::StatusOr<FinetuneJob> job = co_await StartLocked(std::move(order), cancel);
  starting_.Release();
  co_return job;
}

Task<absl::StatusOr<FinetuneJob>> FinetuneClient::StartLocked(FinetuneOrder order, CancelToken* cancel) {
  const std::string digest = DigestOf(order);
  const absl::StatusOr<std::optional<FinetuneJob>> former =
      co_await FindStarted(order.request_id, digest, cancel);
  if (!former.ok()) co_return former.status();
  if (former->has_value()) co_return **former;

  std::string training_name = "ip2p-training.jsonl";
  const absl::StatusOr<std::string> training =
      co_await Upload(std::move(training_name), std::move(order.training_file), cancel);
  if (!training.ok()) co_return training.status();
  Json body = {{"training_file", *training}, {"model", order.base_model}};
  if (!order.validation_file.empty()) {
    std::string validation_name = "ip2p-validation.jsonl";
    const absl::StatusOr<std::string> validation =
        co_await Upload(std::move(validation_name), std::move(order.validation_file), cancel);
    if (!validation.ok()) co_return validation.status();
    body["validation_file"] = *validation;
  }
  if (!order.suffix.empty()) body["suffix"] = order.suffix;
  if (order.epochs.has_value()) {
    body["method"] = {{"type", "supervised"},
                      {"supervised", {{"hyperparameters", {{"n_epochs", *order.epochs}}}}}};
  }
  body["metadata"] = {{kIdKey, order.request_id}, {kDigestKey, digest}};
  ApiRequest request = PostRequest("/fine_tuning/jobs", body, /*repeatable=*/false);
  const ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
  if (reply.end != ApiEnd::kAnswered) {
    absl::Status status = StatusOf(reply, absl::StatusCode::kInvalidArgument);
    if (absl::IsNotFound(status)) status = absl::InvalidArgumentError(status.message());  // the base model
    co_return status;
  }
  absl::StatusOr<FinetuneJob> job = ReadJob(reply.answer);
  if (!job.ok()) co_return job;
  if (started_.size() == kMostRemembered) started_.pop_front();
  started_.push_back({order.request_id, digest, job->id});
  co_return job;
}

Task<absl::StatusOr<FinetuneJob>> FinetuneClient::Get(std::string id, CancelToken* cancel) {
  if (!IsProviderId(id)) co_return UnknownJob();
  ApiRequest request = GetRequest(absl::StrCat("/fine_tuning/jobs/", id));
  const ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
  if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply, absl::StatusCode::kNotFound);
  co_return ReadJob(reply.answer);
}

Task<absl::StatusOr<FinetunePage>> FinetuneClient::List(int page_size, std::string after,
                                                        CancelToken* cancel) {
  if (!after.empty() && !IsProviderId(after)) {
    co_return absl::InvalidArgumentError("page_token is none of ours; wants next_page_token of a page");
  }
  ApiRequest request = GetRequest(absl::StrCat("/fine_tuning/jobs", PageQuery(page_size, after)));
  const ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
  if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply, absl::StatusCode::kInvalidArgument);
  FinetunePage page;
  for (const Json& item : ListField(reply.answer)) {
    absl::StatusOr<FinetuneJob> job = ReadJob(item);
    if (!job.ok()) co_return job.status();
    page.jobs.push_back(*std::move(job));
    if (page.jobs.size() == static_cast<size_t>(page_size)) break;
  }
  const auto more = reply.answer.find("has_more");
  if (more != reply.answer.end() && *more == true && !page.jobs.empty()) page.next = page.jobs.back().id;
  co_return page;
}

Task<absl::StatusOr<FinetuneJob>> FinetuneClient::Cancel(std::string id, CancelToken* cancel) {
  if (!IsProviderId(id)) co_return UnknownJob();
  const Json nothing = Json::object();
  ApiRequest request =
      PostRequest(absl::StrCat("/fine_tuning/jobs/", id, "/cancel"), nothing, /*repeatable=*/true);
  const ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
  if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply, absl::StatusCode::kFailedPrecondition);
  co_return ReadJob(reply.answer);
}

Task<absl::StatusOr<std::vector<FinetuneEvent>>> FinetuneClient::Events(std::string id, CancelToken* cancel) {
  if (!IsProviderId(id)) co_return UnknownJob();
  std::vector<FinetuneEvent> events;
  std::string after;
  while (events.size() < kMostEvents) {
    ApiRequest request =
        GetRequest(absl::StrCat("/fine_tuning/jobs/", id, "/events", PageQuery(kPage, after)));
    const ApiReply reply = co_await api_->Call(std::move(request), nullptr, cancel);
    if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply, absl::StatusCode::kNotFound);
    after.clear();
    for (const Json& item : ListField(reply.answer)) {
      events.push_back({TimeField(item, "created_at"), TextField(item, "message", kMaxTextBytes)});
      after = TextField(item, "id");
    }
    const auto more = reply.answer.find("has_more");
    if (more == reply.answer.end() || *more != true || !IsProviderId(after)) break;
  }
  std::reverse(events.begin(), events.end());  // the provider tells the newest first
  co_return events;
}

}  // namespace ip2p
