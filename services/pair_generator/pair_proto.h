// Between the wire's words and this server's. All validation of a request's fields happens here.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "ip2p/pair/v1/pair_service.pb.h"
#include "services/pair_generator/pair_queue.h"
#include "services/pair_generator/pair_task.h"

namespace ip2p::pair_generator {

// INVALID_ARGUMENT that lists all faults: "params.steps is 0; wants 1..1000; prompts[3].caption is missing;
// ...".
absl::StatusOr<PairTask> TaskFromProto(pair::v1::GeneratePairsRequest request);

pair::v1::PairsStarted ToProto(const PairAdmission& admission);
pair::v1::PairProgress ToProto(int64_t prompt_index, const PairStep& step);
pair::v1::Sample ToProto(const Sample& sample);
pair::v1::Pair ToProto(const Sample& sample, StoredPair files, int side);
pair::v1::PromptFinished ToProto(int64_t prompt_index, const PromptPairs& pairs);
pair::v1::GetCapabilitiesResponse CapabilitiesProto(const std::vector<ModelFacts>& models);

}  // namespace ip2p::pair_generator
