#include "services/gateway/edit_api.h"

#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "ip2p/edit/v1/edit_service.grpc.pb.h"
#include "services/gateway/edit_form_proto.h"
#include "services/gateway/json_body.h"
#include "services/gateway/proto_json.h"

namespace ip2p::gateway {
namespace {

using edit::v1::EditService;
using edit::v1::StreamEditResponse;

absl::StatusOr<WebAnswer> Models(const EditApiParts& parts, const WebRequest& request) {
  edit::v1::ListModelsResponse answer;
  IP2P_RETURN_IF_ERROR(parts.upstream->Ask<EditService>(request, kAskTimeout, &EditService::Stub::ListModels,
                                                        edit::v1::ListModelsRequest(), &answer));
  return JsonAnswer(ToJson(answer));
}

absl::StatusOr<WebAnswer> Capabilities(const EditApiParts& parts, const WebRequest& request) {
  edit::v1::GetCapabilitiesResponse answer;
  IP2P_RETURN_IF_ERROR(parts.upstream->Ask<EditService>(request, kAskTimeout,
                                                        &EditService::Stub::GetCapabilities,
                                                        edit::v1::GetCapabilitiesRequest(), &answer));
  return JsonAnswer(ToJson(answer));
}

absl::StatusOr<WebAnswer> Edit(const EditApiParts& parts, WebRequest& request, EventSink& events) {
  IP2P_ASSIGN_OR_RETURN(edit::v1::StreamEditRequest edit, EditFromRequest(request));
  request.body = std::string();  // megabytes that nobody needs while the edit runs
  const bool streams = WantsEvents(request);
  if (!streams) edit.set_preview_every(0);
  const RunningWork::Scope running(*parts.running, request.caller, request.request_id, request.departure);
  IP2P_RETURN_IF_ERROR(running.status());
  IP2P_ASSIGN_OR_RETURN(
      const edit::v1::EditResult result, RunEdit(parts, request, edit, [&](const StreamEditResponse& event) {
        if (!streams) return true;
        return event.has_accepted() ? events.Send("accepted", JsonText(ToJson(event.accepted())))
                                    : events.Send("progress", JsonText(ToJson(event.progress())));
      }));
  if (!streams) return JsonAnswer(ToJson(result));
  events.Send("result", JsonText(ToJson(result)));
  return WebAnswer();
}

absl::StatusOr<WebAnswer> Cancel(const EditApiParts& parts, const WebRequest& request) {
  IP2P_RETURN_IF_ERROR(parts.running->Cancel(request.caller, request.parts[0]));
  return JsonAnswer({{"cancelled", request.parts[0]}});
}

}  // namespace

bool WantsEvents(const WebRequest& request) {
  return request.Header("accept").find("text/event-stream") != std::string_view::npos;
}

absl::StatusOr<edit::v1::EditResult> RunEdit(const EditApiParts& parts, const WebRequest& request,
                                             const edit::v1::StreamEditRequest& edit,
                                             const std::function<bool(const StreamEditResponse&)>& on_event) {
  IP2P_RETURN_IF_ERROR(parts.upstream->Present());
  grpc::ClientContext context;
  parts.upstream->Prepare(context, request, parts.timeout);
  const Departure::Scope scope(*request.departure, [&context] { context.TryCancel(); });
  const auto stub = EditService::NewStub(parts.upstream->channel());
  const auto reader = stub->StreamEdit(&context, edit);
  StreamEditResponse event;
  edit::v1::EditResult result;
  bool finished = false;
  while (reader->Read(&event)) {
    if (event.has_result()) {
      result.Swap(event.mutable_result());
      finished = true;
    } else if (!on_event(event)) {
      context.TryCancel();
    }
  }
  IP2P_RETURN_IF_ERROR(parts.upstream->Said(context, reader->Finish()));
  if (!finished) return absl::InternalError("the edit server ended the edit without a result");
  return result;
}

void AddEditRoutes(Router& router, const EditApiParts& parts) {
  router.Add({.method = "GET",
              .pattern = "/api/v1/models",
              .handler = [parts](WebRequest& request, EventSink&) { return Models(parts, request); }});
  router.Add({.method = "GET",
              .pattern = "/api/v1/capabilities",
              .handler = [parts](WebRequest& request, EventSink&) { return Capabilities(parts, request); }});
  router.Add(
      {.method = "POST",
       .pattern = "/api/v1/edit",
       .handler = [parts](WebRequest& request, EventSink& events) { return Edit(parts, request, events); },
       .long_lived = true,
       .max_body_bytes = parts.max_body_bytes,
       .takes_form = true});
  router.Add({.method = "POST",
              .pattern = "/api/v1/cancel/{id}",
              .handler = [parts](WebRequest& request, EventSink&) { return Cancel(parts, request); }});
}

}  // namespace ip2p::gateway
