// Options of a transfer, the callbacks that fill its answer, and what libcurl's codes mean here.
#include "common/http/curl_http_client.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "curl/curl.h"

namespace ip2p {
namespace {

constexpr size_t kMaxHeaderBytes = 64 << 10;
constexpr size_t kMaxIdleHandles = 128;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// Only libcurl's own constant texts: its detailed messages name hosts and files.
absl::Status ToStatus(CURLcode code, const HttpRequest& request, bool body_too_long) {
  const std::string text = curl_easy_strerror(code);
  switch (code) {
    case CURLE_OK:
      return absl::OkStatus();
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(
          absl::StrCat("no whole answer; wants one within ", absl::FormatDuration(request.total_timeout),
                       " and no stall of ", absl::FormatDuration(request.stall_timeout)));
    case CURLE_WRITE_ERROR:
      if (body_too_long) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the answer is too long; wants at most ", request.max_body_bytes, " bytes"));
      }
      return absl::UnavailableError(text);
    case CURLE_URL_MALFORMAT:
      return NeverSent(
          absl::InvalidArgumentError(absl::StrCat("the URL is refused (", text, "); wants http or https")));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return NeverSent(absl::FailedPreconditionError(absl::StrCat(
          "the server's certificate is refused (", text, "); wants one that a known authority signed")));
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
      return NeverSent(absl::UnavailableError(absl::StrCat("no connection: ", text)));
    default:
      return absl::UnavailableError(absl::StrCat("the exchange failed: ", text));
  }
}

bool IsHttp(const std::string& url) { return url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0; }

void Sign(CURL* easy, const AwsSigning& signing) {
  curl_easy_setopt(easy, CURLOPT_AWS_SIGV4,
                   absl::StrCat("aws:amz:", signing.region, ":", signing.service).c_str());
  curl_easy_setopt(easy, CURLOPT_USERNAME, signing.access_key.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, signing.secret_key.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
}

std::string NoProxy() {
  std::string hosts = "localhost,127.0.0.1,::1";
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      absl::StrAppend(&hosts, ",", value);
      break;
    }
  }
  return hosts;
}

}  // namespace

struct CurlHttpClient::Transfer {
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnRead(char* data, size_t size, size_t count, void* self);

  HttpRequest request;
  HttpResponse response;
  std::unique_ptr<curl_slist, FreeList> headers;
  size_t header_bytes = 0;
  size_t body_sent = 0;
  bool body_too_long = false;
  bool success = false;  // the answer that comes is a 2xx
  bool finished = false;
  bool cancelled = false;
  CURLcode code = CURLE_OK;
  Event over;
};

size_t CurlHttpClient::Transfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const absl::string_view line = absl::StripAsciiWhitespace(absl::string_view(data, size * count));
  transfer.header_bytes += size * count;
  if (transfer.header_bytes > kMaxHeaderBytes) return 0;
  if (line.substr(0, 5) == "HTTP/") {  // another answer begins: the one before was "100 Continue"
    transfer.response.headers.clear();
    const size_t code = line.find(' ');
    transfer.success = code != absl::string_view::npos && line.substr(code + 1, 1) == "2";
    return size * count;
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return size * count;
  transfer.response.headers.push_back({absl::AsciiStrToLower(line.substr(0, colon)),
                                       std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)))});
  return size * count;
}

size_t CurlHttpClient::Transfer::OnBody(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.success && transfer.request.on_body != nullptr) {
    transfer.request.on_body({data, size * count});
    return size * count;
  }
  if (size * count > transfer.request.max_body_bytes - transfer.response.body.size()) {
    transfer.body_too_long = true;
    return 0;
  }
  transfer.response.body.append(data, size * count);
  return size * count;
}

size_t CurlHttpClient::Transfer::OnRead(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const size_t copied = transfer.request.body.copy(data, size * count, transfer.body_sent);
  transfer.body_sent += copied;
  return copied;
}

CurlHttpClient::CurlHttpClient(EventLoop* loop, CurlHttpOptions options)
    : loop_(loop), options_(std::move(options)), no_proxy_(NoProxy()) {
  curl_multi_setopt(loop_->multi(), CURLMOPT_MAXCONNECTS, long{options_.max_connections});
  curl_multi_setopt(loop_->multi(), CURLMOPT_MAX_TOTAL_CONNECTIONS, long{options_.max_connections});
  curl_multi_setopt(loop_->multi(), CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  loop_->SetTransferHandler([this] { OnTransfers(); });
}

CurlHttpClient::~CurlHttpClient() {
  loop_->SetTransferHandler(nullptr);
  for (void* easy : idle_) curl_easy_cleanup(easy);
}

void* CurlHttpClient::Prepare(Transfer& transfer) {
  CURL* easy = nullptr;
  if (idle_.empty()) {
    easy = curl_easy_init();
    if (easy == nullptr) std::abort();  // out of memory
  } else {
    easy = idle_.back();
    idle_.pop_back();
  }
  const HttpRequest& request = transfer.request;
  curl_slist* headers = nullptr;
  if (request.signing.has_value()) {
    Sign(easy, *request.signing);  // an emptied header would be signed, but not sent
  } else {
    headers = curl_slist_append(headers, "Expect:");  // no round trip before a long body
  }
  for (const HttpHeader& header : request.headers) {
    headers = curl_slist_append(headers, absl::StrCat(header.name, ": ", header.value).c_str());
  }
  transfer.headers.reset(headers);

  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  if (request.url.rfind("https:", 0) == 0) curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);  // share connections
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, no_proxy_.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);

  if (request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    // Read by a function that can't go back: libcurl would silently send a request again when a kept
    // connection breaks, and what was billed must be known here.
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::OnRead);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else if (request.method == "PUT") {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::OnRead);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else if (request.method == "GET") {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  const absl::Duration stall = absl::Ceil(request.stall_timeout, absl::Seconds(1));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(request.connect_timeout)));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(request.total_timeout)));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(absl::ToInt64Seconds(stall)));

  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  return easy;
}

Task<absl::StatusOr<HttpResponse>> CurlHttpClient::Send(HttpRequest request, CancelToken* cancel) {
  if (cancel != nullptr && cancel->cancelled()) co_return absl::CancelledError("cancelled");
  if (!IsHttp(request.url)) {  // libcurl would say the same of a server that doesn't speak HTTP
    co_return NeverSent(absl::InvalidArgumentError("the URL has another scheme; wants http or https"));
  }
  Transfer transfer;
  transfer.request = std::move(request);
  CURL* const easy = Prepare(transfer);
  loop_->AddTransfers(1);
  curl_multi_add_handle(loop_->multi(), easy);
  const CancelToken::Callback on_cancel(cancel, [this, easy, &transfer] {
    if (transfer.finished) return;  // its answer is there; whoever waits is about to be told
    curl_multi_remove_handle(loop_->multi(), easy);
    transfer.finished = true;
    transfer.cancelled = true;
    transfer.over.Set();
  });
  co_await transfer.over;

  loop_->AddTransfers(-1);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  curl_easy_reset(easy);  // forgets the headers, which hold the key
  if (idle_.size() < kMaxIdleHandles) {
    idle_.push_back(easy);
  } else {
    curl_easy_cleanup(easy);
  }
  if (transfer.cancelled) co_return absl::CancelledError("cancelled");
  const absl::Status outcome = ToStatus(transfer.code, transfer.request, transfer.body_too_long);
  if (!outcome.ok()) co_return outcome;
  co_return std::move(transfer.response);
}

void CurlHttpClient::OnTransfers() {
  // First all are taken off, then their tasks go on: a task may cancel another's transfer.
  std::vector<Transfer*> over;
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(loop_->multi(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;  // gone with the handle's removal
    void* owner = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    auto* const transfer = static_cast<Transfer*>(owner);
    transfer->code = code;
    transfer->finished = true;
    curl_multi_remove_handle(loop_->multi(), easy);
    over.push_back(transfer);
  }
  for (Transfer* transfer : over) transfer->over.Set();
}

}  // namespace ip2p
