// What each call does on the loop, and its method.
#include "services/prompt_generator/finetune_service.h"

#include <string>
#include <utility>
#include <vector>

#include "services/prompt_generator/finetune_call.h"
#include "services/prompt_generator/finetune_proto.h"

namespace ip2p::prompt_generator {
namespace {

namespace pb = prompt::v1;

Task<absl::StatusOr<pb::StartFinetuneResponse>> Start(const FinetuneServiceParts& parts,
                                                      pb::StartFinetuneRequest request, CancelToken* cancel) {
  absl::StatusOr<FinetuneOrder> order =
      OrderFromProto(std::move(request), parts.providers->ModelOf(ProviderKind::kDefault));
  if (!order.ok()) co_return order.status();
  FinetuneOrder wanted = *std::move(order);
  const absl::StatusOr<FinetuneJob> job = co_await parts.client->Start(std::move(wanted), cancel);
  if (!job.ok()) co_return job.status();
  pb::StartFinetuneResponse response;
  *response.mutable_finetune() = ToProto(*job);
  co_return response;
}

Task<absl::StatusOr<pb::GetFinetuneResponse>> Get(const FinetuneServiceParts& parts,
                                                  pb::GetFinetuneRequest request, CancelToken* cancel) {
  std::string id = request.id();
  const absl::StatusOr<FinetuneJob> job = co_await parts.client->Get(std::move(id), cancel);
  if (!job.ok()) co_return job.status();
  pb::GetFinetuneResponse response;
  *response.mutable_finetune() = ToProto(*job);
  co_return response;
}

Task<absl::StatusOr<pb::ListFinetunesResponse>> List(const FinetuneServiceParts& parts,
                                                     pb::ListFinetunesRequest request, CancelToken* cancel) {
  const absl::StatusOr<int> size = PageSize(request.has_page_size(), request.page_size());
  if (!size.ok()) co_return size.status();
  std::string after = request.page_token();
  const absl::StatusOr<FinetunePage> page = co_await parts.client->List(*size, std::move(after), cancel);
  if (!page.ok()) co_return page.status();
  co_return ToProto(*page);
}

Task<absl::StatusOr<pb::CancelFinetuneResponse>> Cancel(const FinetuneServiceParts& parts,
                                                        pb::CancelFinetuneRequest request,
                                                        CancelToken* cancel) {
  std::string id = request.id();
  const absl::StatusOr<FinetuneJob> job = co_await parts.client->Cancel(std::move(id), cancel);
  if (!job.ok()) co_return job.status();
  pb::CancelFinetuneResponse response;
  *response.mutable_finetune() = ToProto(*job);
  co_return response;
}

Task<absl::StatusOr<pb::ListFinetuneEventsResponse>> Events(const FinetuneServiceParts& parts,
                                                            pb::ListFinetuneEventsRequest request,
                                                            CancelToken* cancel) {
  const absl::StatusOr<int> size = PageSize(request.has_page_size(), request.page_size());
  if (!size.ok()) co_return size.status();
  std::string id = request.id();
  const absl::StatusOr<std::vector<FinetuneEvent>> events =
      co_await parts.client->Events(std::move(id), cancel);
  if (!events.ok()) co_return events.status();
  co_return EventsPage(*events, *size, request.page_token());
}

}  // namespace

grpc::ServerUnaryReactor* FinetuneService::StartFinetune(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  using Call = FinetuneCall<pb::StartFinetuneRequest, pb::StartFinetuneResponse>;
  return Call::Begin(parts_, context, "StartFinetune", &Start, *request, response);
}

grpc::ServerUnaryReactor* FinetuneService::GetFinetune(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  using Call = FinetuneCall<pb::GetFinetuneRequest, pb::GetFinetuneResponse>;
  return Call::Begin(parts_, context, "GetFinetune", &Get, *request, response);
}

grpc::ServerUnaryReactor* FinetuneService::ListFinetunes(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  using Call = FinetuneCall<pb::ListFinetunesRequest, pb::ListFinetunesResponse>;
  return Call::Begin(parts_, context, "ListFinetunes", &List, *request, response);
}

grpc::ServerUnaryReactor* FinetuneService::CancelFinetune(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request,
                                                          grpc::ByteBuffer* response) {
  using Call = FinetuneCall<pb::CancelFinetuneRequest, pb::CancelFinetuneResponse>;
  return Call::Begin(parts_, context, "CancelFinetune", &Cancel, *request, response);
}

grpc::ServerUnaryReactor* FinetuneService::ListFinetuneEvents(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* request,
                                                              grpc::ByteBuffer* response) {
  using Call = FinetuneCall<pb::ListFinetuneEventsRequest, pb::ListFinetuneEventsResponse>;
  return Call::Begin(parts_, context, "ListFinetuneEvents", &Events, *request, response);
}

}  // namespace ip2p::prompt_generator
