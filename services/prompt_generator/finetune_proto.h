// Between the wire and the client's words: the only place that builds or reads fine-tuning messages. Pure
// functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/openai/finetune.h"
#include "ip2p/prompt/v1/finetune_service.pb.h"

namespace ip2p::prompt_generator {

// All validation: INVALID_ARGUMENT with every fault of the fields, else the first of the files.
absl::StatusOr<FinetuneOrder> OrderFromProto(prompt::v1::StartFinetuneRequest request,
                                             const std::string& default_base_model);

// 1..100, 20 when absent. INVALID_ARGUMENT otherwise.
absl::StatusOr<int> PageSize(bool has, int value);

prompt::v1::Finetune ToProto(const FinetuneJob& job);
prompt::v1::ListFinetunesResponse ToProto(const FinetunePage& page);
// The page that `token` (an earlier answer's, or empty) asks for. INVALID_ARGUMENT: it is none of ours.
absl::StatusOr<prompt::v1::ListFinetuneEventsResponse> EventsPage(const std::vector<FinetuneEvent>& events,
                                                                  int page_size, const std::string& token);

}  // namespace ip2p::prompt_generator
