#include "common/object_store/s3_client.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/object_store/s3_answer.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

constexpr absl::Duration kKeysLeft = absl::Minutes(5);  // of which new ones are asked for
constexpr size_t kMaxTokenBytes = 64 << 10;

absl::Status Named(const ObjectUrl& url, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(url.text(), ": ", status.message()));
}

absl::Status NoCheck(const HttpResponse&) { return absl::OkStatus(); }

std::string Tries(int tries) { return tries == 1 ? "" : absl::StrCat(" (tried ", tries, " times)"); }

}  // namespace

S3Client::S3Client(HttpClient* http, EventLoop* loop, StoreSettings settings, std::function<double()> random)
    : http_(http),
      loop_(loop),
      settings_(std::move(settings)),
      random_(std::move(random)),
      places_(settings_.parallel),
      keys_(settings_.keys.keys) {
  if (settings_.keys.is_role()) keys_.expires = absl::InfinitePast();
}

Task<absl::StatusOr<HttpResponse>> S3Client::SendOnce(HttpRequest request, CancelToken* cancel) {
  const absl::Status place = co_await places_.Acquire(cancel);
  if (!place.ok()) co_return place;
  absl::StatusOr<HttpResponse> answer = co_await http_->Send(std::move(request), cancel);
  places_.Release();
  co_return answer;
}

Task<absl::StatusOr<HttpResponse>> S3Client::Exchange(S3Request request, Check check, CancelToken* cancel) {
  bool anew = false;
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<StoreKeys> keys = co_await Keys(std::exchange(anew, false), cancel);
    S3Verdict verdict;
    if (keys.ok()) {
      HttpRequest http = ToHttpRequest(request, settings_, *keys);
      absl::StatusOr<HttpResponse> answer = co_await SendOnce(std::move(http), cancel);
      verdict = JudgeS3(request, answer, settings_, *keys, loop_->Now());
      const absl::Status fault = verdict.status.ok() ? check(*answer) : absl::OkStatus();
      if (verdict.status.ok() && fault.ok()) co_return answer;
      if (!fault.ok()) verdict = {.status = Named(request.url, fault), .kind = FailureKind::kTransient};
    } else {
      const bool passing = absl::IsUnavailable(keys.status()) || absl::IsDeadlineExceeded(keys.status());
      verdict = {.status = Named(request.url, keys.status()),
                 .kind = passing ? FailureKind::kTransient : FailureKind::kFinal};
    }
    if (verdict.keys_expired && settings_.keys.is_role()) {
      anew = true;
      verdict.kind = FailureKind::kTransient;
    }
    const RetryDecision decision = NextRetry(settings_.retry, {.attempt = attempt,
                                                               .kind = verdict.kind,
                                                               .retry_after = verdict.retry_after,
                                                               .now = loop_->Now(),
                                                               .random = random_()});
    if (decision.verdict != RetryVerdict::kWait) {
      co_return absl::Status(verdict.status.code(), absl::StrCat(verdict.status.message(), Tries(attempt)));
    }
    Log(LogLevel::kWarning, "the object store is asked again",
        {{"attempt", attempt}, {"status", verdict.status.ToString()}});
    const absl::Status slept = co_await loop_->Sleep(decision.wait, cancel);
    if (!slept.ok()) co_return Named(request.url, slept);
  }
}

Task<absl::StatusOr<StoreKeys>> S3Client::Keys(bool anew, CancelToken* cancel) {
  if (settings_.keys.empty()) {
    co_return absl::UnauthenticatedError(
        "there are no keys for the object store; wants AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a role "
        "(AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN) or a profile in ~/.aws/credentials");
  }
  if (!settings_.keys.is_role()) co_return keys_;
  const absl::Status place = co_await one_asks_for_keys_.Acquire(cancel);
  if (!place.ok()) co_return place;
  absl::Status fault;
  if (anew || keys_.expires - loop_->Now() < kKeysLeft) {
    absl::StatusOr<StoreKeys> fresh = co_await AssumeRole(cancel);
    if (fresh.ok()) {
      keys_ = *std::move(fresh);
    } else if (keys_.expires <= loop_->Now()) {
      fault = fresh.status();
    }
  }
  one_asks_for_keys_.Release();
  if (!fault.ok()) co_return fault;
  co_return keys_;
}

Task<absl::StatusOr<StoreKeys>> S3Client::AssumeRole(CancelToken* cancel) {
  const KeySource& source = settings_.keys;
  // Read each time: the cluster renews it.
  const absl::StatusOr<std::string> token =
      ReadFile(source.token_file, "AWS_WEB_IDENTITY_TOKEN_FILE", kMaxTokenBytes);
  if (!token.ok()) co_return token.status();
  HttpRequest request;
  request.url = source.sts_endpoint + "/";
  request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
  request.body = absl::StrCat(
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=", UriEncode(source.role, false),
      "&RoleSessionName=", UriEncode(source.session_name, false),
      "&WebIdentityToken=", UriEncode(std::string(absl::StripAsciiWhitespace(*token)), false));
  absl::StatusOr<HttpResponse> answer = co_await http_->Send(std::move(request), cancel);
  if (!answer.ok()) {
    co_return absl::Status(answer.status().code(), absl::StrCat("the token service at ", source.sts_endpoint,
                                                                ": ", answer.status().message()));
  }
  if (answer->status != 200) {
    const std::string code = ParseStoreError(answer->body).code;
    const bool passing = ClassifyHttpStatus(answer->status, {}) == FailureKind::kTransient;
    // Its message may hold the token.
    const std::string text = absl::StrCat("the token service at ", source.sts_endpoint, " answered ",
                                          answer->status, code.empty() ? "" : " ", code.substr(0, 64),
                                          "; wants a role that trusts this cluster's tokens");
    if (passing) co_return absl::UnavailableError(text);
    co_return absl::PermissionDeniedError(text);
  }
  co_return ParseRoleKeys(answer->body);
}

Task<absl::StatusOr<ObjectFacts>> S3Client::Head(ObjectUrl url, CancelToken* cancel) {
  S3Request request{.method = "HEAD", .url = url};
  request.headers.push_back({"x-amz-checksum-mode", "ENABLED"});
  Check check = NoCheck;
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!answer.ok()) co_return answer.status();
  ObjectFacts facts{.etag = std::string(answer->Header("etag")), .checksums = ChecksumsOf(*answer)};
  const std::string_view length = answer->Header("content-length");
  if (!absl::SimpleAtoi(absl::string_view(length.data(), length.size()), &facts.size) || facts.etag.empty()) {
    co_return absl::UnavailableError(
        absl::StrCat(url.text(), ": the store tells no length or ETag; wants both"));
  }
  co_return facts;
}

Task<absl::StatusOr<ObjectBytes>> S3Client::Get(ObjectUrl url, size_t max_bytes, CancelToken* cancel) {
  S3Request request{.url = url, .max_body_bytes = max_bytes};
  request.headers.push_back({"x-amz-checksum-mode", "ENABLED"});
  Check check = [](const HttpResponse& answer) {
    ChecksumVerifier verifier(ChecksumsOf(answer));
    verifier.Update(answer.body);
    return verifier.Finish();
  };
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!answer.ok()) co_return answer.status();
  co_return ObjectBytes{.bytes = std::move(answer->body), .etag = std::string(answer->Header("etag"))};
}

Task<absl::StatusOr<std::string>> S3Client::GetPart(ObjectUrl url, std::string etag, int64_t begin,
                                                    int64_t size, CancelToken* cancel) {
  S3Request request{.url = url, .max_body_bytes = static_cast<size_t>(size)};
  request.headers.push_back({"Range", absl::StrCat("bytes=", begin, "-", begin + size - 1)});
  request.headers.push_back({"If-Match", etag});
  Check check = [begin, size](const HttpResponse& answer) {
    const std::string range(answer.Header("content-range"));
    const std::string wanted = absl::StrCat("bytes ", begin, "-", begin + size - 1, "/");
    const bool all = answer.status == 206 ? absl::StartsWith(range, wanted) : begin == 0;
    if (all && static_cast<int64_t>(answer.body.size()) == size) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("the store sent ", answer.body.size(), " bytes (",
                                               range.substr(0, 80), "); wants ", size, " from ", begin));
  };
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!answer.ok()) co_return answer.status();
  co_return std::move(answer->body);
}

Task<absl::StatusOr<std::string>> S3Client::Put(ObjectUrl url, std::string bytes, PutCondition condition,
                                                CancelToken* cancel) {
  S3Request request{.method = "PUT", .url = url, .body = std::move(bytes)};
  request.headers.push_back({"Content-Type", "application/octet-stream"});
  request.headers.push_back({"x-amz-sdk-checksum-algorithm", "SHA256"});
  request.headers.push_back({"x-amz-checksum-sha256", Base64OfHex(Sha256Hex(request.body))});
  if (condition.absent) request.headers.push_back({"If-None-Match", "*"});
  if (!condition.etag.empty()) request.headers.push_back({"If-Match", condition.etag});
  Check check = NoCheck;
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!answer.ok()) co_return answer.status();
  co_return std::string(answer->Header("etag"));
}

Task<absl::Status> S3Client::Delete(ObjectUrl url, CancelToken* cancel) {
  S3Request request{.method = "DELETE", .url = url};
  Check check = NoCheck;
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  co_return absl::IsNotFound(answer.status()) ? absl::OkStatus() : answer.status();
}

Task<absl::StatusOr<ListPage>> S3Client::List(ObjectUrl url, std::string start_after, std::string token,
                                              CancelToken* cancel) {
  S3Request request{.url = {.bucket = url.bucket}};
  request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", url.prefix()}};
  if (!start_after.empty()) request.query["start-after"] = start_after;
  if (!token.empty()) request.query["continuation-token"] = token;
  return GetListPage(std::move(request), cancel);
}

Task<absl::StatusOr<ListPage>> S3Client::ListFolders(ObjectUrl url, std::string token, CancelToken* cancel) {
  S3Request request{.url = {.bucket = url.bucket}};
  request.query = {
      {"list-type", "2"}, {"encoding-type", "url"}, {"prefix", url.prefix()}, {"delimiter", "/"}};
  if (!token.empty()) request.query["continuation-token"] = token;
  return GetListPage(std::move(request), cancel);
}

Task<absl::StatusOr<ListPage>> S3Client::GetListPage(S3Request request, CancelToken* cancel) {
  absl::StatusOr<ListPage> page = absl::UnknownError("not asked");
  Check check = [&page](const HttpResponse& answer) {
    page = ParseListPage(answer.body);
    return page.status();
  };
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!answer.ok()) co_return answer.status();
  co_return page;
}

Task<absl::StatusOr<std::string>> S3Client::StartUpload(ObjectUrl url, std::string sha256,
                                                        CancelToken* cancel) {
  S3Request request{.method = "POST", .url = url, .query = {{"uploads", ""}}};
  request.headers.push_back({"Content-Type", "application/octet-stream"});
  request.headers.push_back({"x-amz-checksum-algorithm", "SHA256"});
  request.headers.push_back({kSha256Header, sha256});
  Check check = [](const HttpResponse& answer) { return ParseUploadId(answer.body).status(); };
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!answer.ok()) co_return answer.status();
  co_return ParseUploadId(answer->body);
}

Task<absl::StatusOr<UploadedPart>> S3Client::PutPart(ObjectUrl url, std::string upload, int number,
                                                     std::string bytes, CancelToken* cancel) {
  S3Request request{.method = "PUT", .url = url, .body = std::move(bytes)};
  request.query = {{"partNumber", absl::StrCat(number)}, {"uploadId", upload}};
  UploadedPart part{.number = number, .sha256 = Base64OfHex(Sha256Hex(request.body))};
  request.headers.push_back({"x-amz-sdk-checksum-algorithm", "SHA256"});
  request.headers.push_back({"x-amz-checksum-sha256", part.sha256});
  Check check = [](const HttpResponse& answer) {
    if (!answer.Header("etag").empty()) return absl::OkStatus();
    return absl::UnavailableError("the store gives a part no ETag; wants one");
  };
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!answer.ok()) co_return answer.status();
  part.etag = answer->Header("etag");
  co_return part;
}

Task<absl::Status> S3Client::FinishUpload(ObjectUrl url, std::string upload, std::vector<UploadedPart> parts,
                                          std::string sha256, CancelToken* cancel) {
  S3Request request{
      .method = "POST", .url = url, .query = {{"uploadId", upload}}, .body = CompleteUploadXml(parts)};
  request.headers.push_back({"Content-Type", "application/xml"});
  Check check = NoCheck;
  absl::StatusOr<HttpResponse> answer = co_await Exchange(std::move(request), std::move(check), cancel);
  if (!absl::IsNotFound(answer.status())) co_return answer.status();
  absl::StatusOr<ObjectFacts> facts = co_await Head(url, cancel);
  if (facts.ok() && facts->checksums.sha256 == sha256) co_return absl::OkStatus();
  co_return answer.status();
}

Task<absl::Status> S3Client::AbortUpload(ObjectUrl url, std::string upload) {
  S3Request request{.method = "DELETE", .url = url, .query = {{"uploadId", upload}}};
  Check check = NoCheck;
  absl::StatusOr<HttpResponse> answer =
      co_await Exchange(std::move(request), std::move(check), /*cancel=*/nullptr);
  co_return absl::IsNotFound(answer.status()) ? absl::OkStatus() : answer.status();
}

}  // namespace ip2p
