#include "common/prompts/batch_state.h"

#include "common/base/random.h"
#include "common/dataset/json_text.h"
#include "common/openai/endpoints.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

absl::Status Damaged() {
  return absl::DataLossError("the journal's batch state is damaged; wants one of ours");
}

}  // namespace

std::string ToJson(const BatchState& state) {
  Json open = Json::array();
  for (const OpenBatch& batch : state.open) {
    open.push_back({{"id", batch.id},
                    {"first", batch.first},
                    {"end", batch.end},
                    {"reserved_micro_usd", batch.reserved_micro_usd}});
  }
  const Json json = {{"run", state.run}, {"round", state.round}, {"next", state.next}, {"open", open}};
  return json.dump();
}

absl::StatusOr<BatchState> ParseBatchState(std::string_view json) {
  const absl::StatusOr<Json> object = ParseJsonObject(json);
  if (!object.ok()) return Damaged();
  BatchState state;
  state.run = TextField(*object, "run");
  state.round = static_cast<int>(CountField(*object, "round"));
  state.next = CountField(*object, "next");
  const auto open = object->find("open");
  if (!IsRequestId(state.run) || open == object->end() || !open->is_array()) return Damaged();
  for (const Json& item : *open) {
    OpenBatch batch;
    batch.id = TextField(item, "id");
    batch.first = CountField(item, "first");
    batch.end = CountField(item, "end");
    batch.reserved_micro_usd = CountField(item, "reserved_micro_usd");
    if (batch.first > batch.end || (!batch.id.empty() && !IsProviderId(batch.id))) return Damaged();
    state.open.push_back(std::move(batch));
  }
  return state;
}

}  // namespace ip2p
