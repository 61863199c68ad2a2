#include "services/gateway/prompts_api.h"

#include "common/base/status_macros.h"
#include "ip2p/prompt/v1/prompt_service.grpc.pb.h"
#include "services/gateway/json_body.h"
#include "services/gateway/proto_json.h"

namespace ip2p::gateway {
namespace {

namespace v1 = prompt::v1;
using v1::PromptService;

constexpr absl::Duration kTryTimeout = absl::Minutes(3);  // some tries of a model that thinks

absl::StatusOr<WebAnswer> Try(const Upstream& upstream, const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(nlohmann::json body, ParseBody(request.body));
  v1::GeneratePromptRequest question;
  IP2P_ASSIGN_OR_RETURN(const std::string caption, TextField(body, "caption", ""));
  body.erase("caption");
  question.mutable_caption()->set_text(caption);
  if (const auto params = body.find("params"); params != body.end()) {
    if (!params->is_object()) {
      return absl::InvalidArgumentError("params is " + Found(*params) + "; wants an object");
    }
    IP2P_RETURN_IF_ERROR(FromJson(*params, "params", question.mutable_params()));
    body.erase(params);
  }
  if (!body.empty()) {
    return absl::InvalidArgumentError(Found(body.begin().key()) + " is no field; wants caption, params");
  }
  v1::GeneratePromptResponse answer;
  IP2P_RETURN_IF_ERROR(upstream.Ask<PromptService>(request, kTryTimeout, &PromptService::Stub::GeneratePrompt,
                                                   question, &answer));
  return JsonAnswer(ToJson(answer.outcome()));
}

absl::StatusOr<WebAnswer> Capabilities(const Upstream& upstream, const WebRequest& request) {
  v1::GetCapabilitiesResponse answer;
  IP2P_RETURN_IF_ERROR(upstream.Ask<PromptService>(
      request, kAskTimeout, &PromptService::Stub::GetCapabilities, v1::GetCapabilitiesRequest(), &answer));
  return JsonAnswer(ToJson(answer));
}

}  // namespace

void AddPromptsRoutes(Router& router, const Upstream* upstream) {
  router.Add({.method = "POST",
              .pattern = "/api/v1/prompts",
              .handler = [upstream](WebRequest& request, EventSink&) { return Try(*upstream, request); },
              .long_lived = true});
  router.Add(
      {.method = "GET",
       .pattern = "/api/v1/prompts/capabilities",
       .handler = [upstream](WebRequest& request, EventSink&) { return Capabilities(*upstream, request); }});
}

}  // namespace ip2p::gateway
