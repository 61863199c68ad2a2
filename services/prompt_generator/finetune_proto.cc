#include "services/prompt_generator/finetune_proto.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/prompts/training_file.h"
#include "common/rpc/duration_proto.h"

namespace ip2p::prompt_generator {
namespace {

constexpr size_t kMaxRequestId = 63;
constexpr size_t kMaxSuffix = 40;
constexpr size_t kMaxModel = 256;
constexpr int kMaxEpochs = 50;
constexpr int kMaxPage = 100;
constexpr int kDefaultPage = 20;

bool IsRequestId(const std::string& text) {
  return !text.empty() && text.size() <= kMaxRequestId && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
  });
}

bool IsSuffix(const std::string& text) {
  return text.size() <= kMaxSuffix && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool IsModel(const std::string& text) {
  return text.size() <= kMaxModel &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

TrainingShape ShapeOf(prompt::v1::TrainingFormat format, const std::string& base_model) {
  switch (format) {
    case prompt::v1::TRAINING_FORMAT_COMPLETION:
      return TrainingShape::kCompletion;
    case prompt::v1::TRAINING_FORMAT_CHAT:
      return TrainingShape::kChat;
    default:
      return ShapeFor(base_model);
  }
}

prompt::v1::FinetuneState ToProto(FinetuneState state) {
  switch (state) {
    case FinetuneState::kUnknown:
      return prompt::v1::FINETUNE_STATE_UNSPECIFIED;
    case FinetuneState::kValidating:
      return prompt::v1::FINETUNE_STATE_VALIDATING;
    case FinetuneState::kQueued:
      return prompt::v1::FINETUNE_STATE_QUEUED;
    case FinetuneState::kRunning:
      return prompt::v1::FINETUNE_STATE_RUNNING;
    case FinetuneState::kSucceeded:
      return prompt::v1::FINETUNE_STATE_SUCCEEDED;
    case FinetuneState::kFailed:
      return prompt::v1::FINETUNE_STATE_FAILED;
    case FinetuneState::kCancelled:
      return prompt::v1::FINETUNE_STATE_CANCELLED;
  }
  return prompt::v1::FINETUNE_STATE_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<FinetuneOrder> OrderFromProto(prompt::v1::StartFinetuneRequest request,
                                             const std::string& default_base_model) {
  std::vector<std::string> faults;
  if (!IsRequestId(request.request_id())) faults.push_back("request_id is no name; wants [A-Za-z0-9-]{1,63}");
  if (!IsSuffix(request.suffix())) faults.push_back("suffix is no name; wants [a-z0-9-]{0,40}");
  if (!IsModel(request.base_model()))
    faults.push_back("base_model is no name; wants at most 256 bytes of ASCII");
  if (request.has_epochs() && (request.epochs() < 1 || request.epochs() > kMaxEpochs)) {
    faults.push_back(absl::StrCat("epochs is ", request.epochs(), "; wants 1..", kMaxEpochs));
  }
  if (!prompt::v1::TrainingFormat_IsValid(request.format()))
    faults.push_back("format is unknown; wants a known one");
  if (request.training_file().empty()) faults.push_back("training_file is empty; wants JSONL");
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));

  FinetuneOrder order;
  order.base_model = request.base_model().empty() ? default_base_model : request.base_model();
  const TrainingShape shape = ShapeOf(request.format(), order.base_model);
  IP2P_RETURN_IF_ERROR(CheckTrainingFile(request.training_file(), shape, "training_file"));
  if (!request.validation_file().empty()) {
    IP2P_RETURN_IF_ERROR(CheckTrainingFile(request.validation_file(), shape, "validation_file"));
  }
  order.request_id = std::move(*request.mutable_request_id());
  order.training_file = std::move(*request.mutable_training_file());
  order.validation_file = std::move(*request.mutable_validation_file());
  order.suffix = request.suffix().empty() ? "ip2p" : request.suffix();
  if (request.has_epochs()) order.epochs = request.epochs();
  return order;
}

absl::StatusOr<int> PageSize(bool has, int value) {
  if (!has) return kDefaultPage;
  if (value >= 1 && value <= kMaxPage) return value;
  return absl::InvalidArgumentError(absl::StrCat("page_size is ", value, "; wants 1..", kMaxPage));
}

prompt::v1::Finetune ToProto(const FinetuneJob& job) {
  prompt::v1::Finetune wire;
  wire.set_id(job.id);
  wire.set_state(ToProto(job.state));
  wire.set_base_model(job.base_model);
  wire.set_fine_tuned_model(job.fine_tuned_model);
  if (job.created != absl::InfinitePast()) *wire.mutable_create_time() = TimestampProto(job.created);
  if (job.finished != absl::InfinitePast()) *wire.mutable_finish_time() = TimestampProto(job.finished);
  wire.set_trained_tokens(job.trained_tokens);
  wire.set_error(job.error);
  return wire;
}

prompt::v1::ListFinetunesResponse ToProto(const FinetunePage& page) {
  prompt::v1::ListFinetunesResponse wire;
  for (const FinetuneJob& job : page.jobs) *wire.add_finetunes() = ToProto(job);
  wire.set_next_page_token(page.next);
  return wire;
}

absl::StatusOr<prompt::v1::ListFinetuneEventsResponse> EventsPage(const std::vector<FinetuneEvent>& events,
                                                                  int page_size, const std::string& token) {
  int64_t begin = 0;
  if (!token.empty() && (!absl::SimpleAtoi(token, &begin) || begin < 0)) {
    return absl::InvalidArgumentError("page_token is none of ours; wants next_page_token of a page");
  }
  const auto size = static_cast<int64_t>(events.size());
  const int64_t end = std::min(size, begin + page_size);
  prompt::v1::ListFinetuneEventsResponse wire;
  for (int64_t i = begin; i < end; ++i) {
    const FinetuneEvent& event = events[static_cast<size_t>(i)];
    prompt::v1::FinetuneEvent* const added = wire.add_events();
    if (event.time != absl::InfinitePast()) *added->mutable_time() = TimestampProto(event.time);
    added->set_message(event.message);
  }
  if (end < size) wire.set_next_page_token(absl::StrCat(end));
  return wire;
}

}  // namespace ip2p::prompt_generator
