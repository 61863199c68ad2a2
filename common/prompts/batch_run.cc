// Order of the money: reserved, and the batch written down, before it is ordered; settled after all its
// outcomes are written down. So a kill at any point can count too much as spent, never too little.
#include "common/prompts/batch_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/openai/endpoints.h"
#include "common/prompts/make_prompt.h"
#include "common/prompts/metered_send.h"
#include "common/prompts/training_file.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr size_t kJudgedAtOnce = 32;
constexpr size_t kMaxAnswerBytes = 64 << 20;
constexpr int kListPages = 10;
constexpr const char* kRunKey = "ip2p_run";
constexpr const char* kPlaceKey = "ip2p_place";

// What makes a batch ours among the provider's.
std::string PlaceOf(int round, int64_t first) { return absl::StrCat(round, "-", first); }

absl::Status StatusOf(const ApiReply& reply) {
  switch (reply.end) {
    case ApiEnd::kCancelled:
      return absl::CancelledError("the run was cancelled");
    case ApiEnd::kFatal:
      return absl::IsUnavailable(reply.status) ? reply.status
                                               : absl::FailedPreconditionError(reply.status.message());
    default:
      break;
  }
  const bool final = absl::IsInvalidArgument(reply.status) || absl::IsNotFound(reply.status) ||
                     absl::IsPermissionDenied(reply.status);
  if (final) return absl::FailedPreconditionError(reply.status.message());
  return absl::UnavailableError(reply.status.ok() ? "the provider refused" : reply.status.message());
}

// Answers with what a batch answered.
class Replay final : public PromptModel {
 public:
  explicit Replay(Attempt attempt) : attempt_(std::move(attempt)) {}
  Task<Attempt> Write(const Caption& /*caption*/, TryContext /*context*/) override { co_return attempt_; }

 private:
  const Attempt attempt_;
};

// Judges answers only: captions were judged before they were sent. A caption comes alone, an answer's texts
// in two.
class AnswerModerator final : public Moderator {
 public:
  explicit AnswerModerator(Moderator* moderator) : moderator_(moderator) {}
  Task<Verdict> Judge(std::vector<std::string> texts, TryContext context) override {
    if (moderator_ == nullptr || texts.size() == 1) {
      Verdict fine;
      fine.result = AttemptResult::kAnswered;
      co_return fine;
    }
    Verdict verdict = co_await moderator_->Judge(std::move(texts), context);
    co_return verdict;
  }

 private:
  Moderator* const moderator_;
};

bool MayImprove(RejectReason reason) {
  return reason == RejectReason::kMalformed || reason == RejectReason::kUnchanged ||
         reason == RejectReason::kAnswerFlagged || reason == RejectReason::kProviderError;
}

}  // namespace

BatchRun::BatchRun(const RunParts& parts, const RunOptions& options, OpenAiApi* api, std::string model,
                   TokenPrice price, BatchLimits limits)
    : parts_(parts),
      options_(options),
      api_(api),
      model_(std::move(model)),
      style_(ShapeFor(model_) == TrainingShape::kChat ? OpenAiStyle::kChat : OpenAiStyle::kCompletion),
      price_(price.Batch()),
      limits_(limits),
      share_(ShareOf(parts.captions->size(), options.n_partitions, options.partition)),
      order_(parts.captions->size(), options.params.seed) {}

absl::Status BatchRun::Begin() {
  const RunPast& past = parts_.journal->past();
  done_ = past.done;
  tried_ = past.tried;
  counts_ = past.counts;
  counts_.total = share_.end - share_.begin;
  if (past.state.empty()) {
    state_.run = RandomRequestId();
    state_.next = share_.begin;
    return Keep();
  }
  IP2P_ASSIGN_OR_RETURN(state_, ParseBatchState(past.state));
  for (const OpenBatch& batch : state_.open) parts_.budget->Adopt(batch.reserved_micro_usd);
  return absl::OkStatus();
}

absl::Status BatchRun::Keep() { return parts_.journal->RecordState(ToJson(state_)); }

void BatchRun::Tell() {
  if (parts_.listener != nullptr) parts_.listener->OnProgress(counts_, std::nullopt);
}

absl::Status BatchRun::Record(Outcome outcome) {
  const Usage usage = outcome.usage;  // of this round; the rounds before have been told
  if (const auto before = tried_.find(outcome.index); before != tried_.end()) {
    outcome.usage += before->second.usage;
    outcome.prompt.usage = outcome.usage;
    tried_.erase(before);
  }
  IP2P_RETURN_IF_ERROR(
      parts_.journal->Append(outcome, parts_.budget->spent_micro_usd(), parts_.budget->reserved_micro_usd()));
  done_[static_cast<size_t>(outcome.index)] = true;
  (outcome.rejected == RejectReason::kNone ? counts_.accepted : counts_.rejected) += 1;
  counts_.usage += outcome.usage;
  if (parts_.listener != nullptr) {
    parts_.listener->OnUsage(usage);
    parts_.listener->OnOutcome(outcome);
  }
  return absl::OkStatus();
}

absl::Status BatchRun::RecordTried(const Outcome& outcome) {
  IP2P_RETURN_IF_ERROR(parts_.journal->RecordTried(outcome.index, state_.round, outcome.usage));
  Tried& tried = tried_[outcome.index];
  tried.round = state_.round;
  tried.usage += outcome.usage;
  if (parts_.listener != nullptr) parts_.listener->OnUsage(outcome.usage);
  return absl::OkStatus();
}

bool BatchRun::Settled(int64_t index) const {
  const auto tried = tried_.find(index);
  return done_[static_cast<size_t>(index)] || (tried != tried_.end() && tried->second.round == state_.round);
}

Task<absl::Status> BatchRun::Run() {
  absl::Status status = Begin();
  Tell();
  if (status.ok()) status = co_await Recover();
  absl::Duration wait = limits_.first_poll;
  bool over = false;
  while (status.ok() && !over) {
    const absl::Status filled = co_await Fill();
    // Without money, what is open is still taken in.
    if (!filled.ok() && (!absl::IsResourceExhausted(filled) || state_.open.empty())) {
      status = filled;
      break;
    }
    if (state_.open.empty()) {
      status = EndRound(&over);
      continue;
    }
    status = co_await parts_.loop->Sleep(wait, parts_.cancel);
    if (!status.ok()) break;
    int ended = 0;
    status = co_await Poll(&ended);
    wait = ended > 0 ? limits_.first_poll : std::min(wait * 2, limits_.longest_poll);
    Tell();
  }
  absl::Status kept =
      parts_.journal->RecordMoney(parts_.budget->spent_micro_usd(), parts_.budget->reserved_micro_usd());
  if (kept.ok()) kept = parts_.journal->Sync();
  if (status.ok()) status = std::move(kept);
  Tell();
  co_return status;
}

Task<absl::Status> BatchRun::Recover() {
  std::vector<OpenBatch> lost;
  for (const OpenBatch& batch : state_.open) {
    if (batch.id.empty()) lost.push_back(batch);
  }
  std::string after;
  for (int page = 0; page < kListPages && !lost.empty(); ++page) {
    ApiRequest request = GetRequest(absl::StrCat("/batches", PageQuery(100, after)));
    const ApiReply reply = co_await api_->Call(std::move(request), nullptr, parts_.cancel);
    if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply);
    for (const Json& item : ListField(reply.answer)) {
      after = TextField(item, "id");
      const auto metadata = MetadataField(item);
      const auto run = metadata.find(kRunKey);
      const auto place = metadata.find(kPlaceKey);
      if (run == metadata.end() || run->second != state_.run || place == metadata.end()) continue;
      if (TextField(item, "status") == "failed" || !IsProviderId(after)) continue;
      for (OpenBatch& batch : state_.open) {
        if (batch.id.empty() && PlaceOf(state_.round, batch.first) == place->second) batch.id = after;
      }
    }
    const auto more = reply.answer.find("has_more");
    if (more == reply.answer.end() || *more != true || !IsProviderId(after)) break;
  }
  for (const OpenBatch& batch : lost) {
    const auto is_lost = [&batch](const OpenBatch& open) {
      return open.id.empty() && open.first == batch.first;
    };
    const auto place = std::find_if(state_.open.begin(), state_.open.end(), is_lost);
    if (place == state_.open.end()) continue;  // found
    state_.open.erase(place);
    parts_.budget->Settle(batch.reserved_micro_usd, 0);
    absl::StatusOr<Draft> draft = co_await Collect(batch.first, batch.end);
    if (!draft.ok()) co_return draft.status();
    Draft again = *std::move(draft);
    again.batch.end = batch.end;  // what the budget can't bear any more waits for the next round
    const absl::Status ordered = co_await Order(std::move(again));
    if (!ordered.ok()) co_return ordered;
  }
  co_return Keep();
}

Task<absl::Status> BatchRun::Fill() {
  while (state_.next < share_.end && state_.open.size() < limits_.batches) {
    absl::StatusOr<Draft> draft = co_await Collect(state_.next, share_.end);
    if (!draft.ok()) co_return draft.status();
    state_.next = draft->batch.end;
    Draft next = *std::move(draft);
    const absl::Status ordered = co_await Order(std::move(next));
    if (!ordered.ok()) co_return ordered;
  }
  co_return absl::OkStatus();
}

Task<absl::StatusOr<BatchRun::Draft>> BatchRun::Collect(int64_t first, int64_t end) {
  std::vector<NumberedCaption> captions;
  int64_t position = first;
  for (; position < end && captions.size() < static_cast<size_t>(limits_.captions); ++position) {
    const int64_t index = order_.At(position);
    if (done_[static_cast<size_t>(index)]) continue;
    absl::StatusOr<NumberedCaption> read = parts_.captions->Read(index);
    if (!read.ok()) co_return read.status();
    if (read->state == CaptionState::kGood) {
      captions.push_back(*std::move(read));
      continue;
    }
    Outcome outcome;
    outcome.index = index;
    outcome.line = read->line;
    outcome.detail = std::move(read->fault);
    outcome.rejected =
        read->state == CaptionState::kBad ? RejectReason::kBadCaption : RejectReason::kDuplicate;
    const absl::Status kept = Record(std::move(outcome));
    if (!kept.ok()) co_return kept;
  }
  const absl::Status judged = co_await TakeOutFlagged(&captions);
  if (!judged.ok()) co_return judged;

  Draft draft;
  draft.batch.first = first;
  draft.batch.end = position;
  for (const NumberedCaption& good : captions) {
    const Caption& caption = good.caption;
    const uint64_t seed = MixSeed(options_.params.seed, static_cast<uint64_t>(caption.index),
                                  static_cast<uint64_t>(state_.round) + 1);
    int64_t worst = 0;
    const std::string line = BatchLine(style_, model_, caption, options_.params, seed, price_, &worst);
    const std::optional<int64_t> left = parts_.budget->left_micro_usd();
    const bool too_dear = left.has_value() && draft.batch.reserved_micro_usd + worst > *left;
    if (too_dear && draft.file.empty()) {
      co_return absl::ResourceExhaustedError("the budget is spent; wants a higher limit to go on");
    }
    if (too_dear || draft.file.size() + line.size() > limits_.bytes) {
      // The rest is taken again by the next batch: back to where it begins.
      while (order_.At(draft.batch.end - 1) != caption.index) --draft.batch.end;
      --draft.batch.end;
      break;
    }
    draft.file += line;
    draft.batch.reserved_micro_usd += worst;
  }
  co_return draft;
}

Task<absl::Status> BatchRun::TakeOutFlagged(std::vector<NumberedCaption>* captions) {
  if (parts_.moderator == nullptr || !options_.params.moderation || state_.round > 0)
    co_return absl::OkStatus();
  std::vector<NumberedCaption> good;
  for (size_t begin = 0; begin < captions->size(); begin += kJudgedAtOnce) {
    const size_t end = std::min(begin + kJudgedAtOnce, captions->size());
    std::vector<std::string> texts;
    for (size_t i = begin; i < end; ++i) texts.push_back((*captions)[i].caption.text);
    TryContext context{0, options_.params, *parts_.budget, parts_.cancel};
    const Verdict all = co_await parts_.moderator->Judge(std::move(texts), context);
    for (size_t i = begin; i < end; ++i) {
      bool flagged = all.flagged;
      if (all.result == AttemptResult::kAnswered && flagged) {  // one of them: which?
        std::vector<std::string> one(1, (*captions)[i].caption.text);
        const Verdict verdict = co_await parts_.moderator->Judge(std::move(one), context);
        if (verdict.result != AttemptResult::kAnswered)
          co_return absl::UnavailableError(verdict.status.message());
        flagged = verdict.flagged;
      } else if (all.result != AttemptResult::kAnswered) {
        if (all.result == AttemptResult::kCancelled) co_return absl::CancelledError("the run was cancelled");
        if (all.result == AttemptResult::kFatal)
          co_return absl::FailedPreconditionError(all.status.message());
        co_return absl::UnavailableError(all.status.message());
      }
      if (!flagged) {
        good.push_back(std::move((*captions)[i]));
        continue;
      }
      Outcome outcome;
      outcome.index = (*captions)[i].caption.index;
      outcome.line = (*captions)[i].line;
      outcome.rejected = RejectReason::kCaptionFlagged;
      const absl::Status kept = Record(std::move(outcome));
      if (!kept.ok()) co_return kept;
    }
  }
  *captions = std::move(good);
  co_return absl::OkStatus();
}

Task<absl::StatusOr<std::string>> BatchRun::Upload(std::string file) {
  ApiRequest request = UploadRequest("batch", "ip2p-batch.jsonl", file);
  const ApiReply reply = co_await api_->Call(std::move(request), nullptr, parts_.cancel);
  if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply);
  std::string id = TextField(reply.answer, "id");
  if (!IsProviderId(id)) co_return Lacks("a file's id");
  co_return id;
}

Task<absl::Status> BatchRun::Order(Draft draft) {
  if (draft.file.empty()) co_return Keep();
  const int64_t reserved = draft.batch.reserved_micro_usd;
  absl::Status status = parts_.budget->Reserve(reserved);
  if (!status.ok()) co_return status;
  state_.open.push_back(draft.batch);
  status = Keep();
  if (!status.ok()) co_return status;

  absl::StatusOr<std::string> file = co_await Upload(std::move(draft.file));
  bool ordered = false;  // perhaps
  if (file.ok()) {
    const Json body = {
        {"input_file_id", *file},
        {"endpoint", style_ == OpenAiStyle::kChat ? "/v1/chat/completions" : "/v1/completions"},
        {"completion_window", "24h"},
        {"metadata", {{kRunKey, state_.run}, {kPlaceKey, PlaceOf(state_.round, draft.batch.first)}}}};
    ApiRequest request = PostRequest("/batches", body, /*repeatable=*/false);
    const ApiReply reply = co_await api_->Call(std::move(request), nullptr, parts_.cancel);
    if (reply.end == ApiEnd::kAnswered) {
      const std::string id = TextField(reply.answer, "id");
      if (!IsProviderId(id)) co_return Lacks("a batch's id");  // found again by the next run
      state_.open.back().id = id;
      co_return Keep();
    }
    file = StatusOf(reply);
    ordered = reply.http_status == 0 || reply.http_status >= 500 || reply.end == ApiEnd::kCancelled;
  }
  if (!ordered) {  // as if it had never been tried
    parts_.budget->Settle(reserved, 0);
    state_.open.pop_back();
    state_.next = std::min(state_.next, draft.batch.first);
    status = Keep();
    if (!status.ok()) co_return status;
  }
  co_return file.status();
}

Task<absl::Status> BatchRun::Poll(int* ended) {
  const std::vector<OpenBatch> open = state_.open;
  for (const OpenBatch& batch : open) {
    ApiRequest request = GetRequest(absl::StrCat("/batches/", batch.id));
    ApiReply reply = co_await api_->Call(std::move(request), nullptr, parts_.cancel);
    if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply);
    const std::string state = TextField(reply.answer, "status");
    if (state == "failed") {
      // Not open any more, but kept in the state without its id: the next run orders it again.
      for (OpenBatch& kept : state_.open) {
        if (kept.id == batch.id) kept.id.clear();
      }
      const absl::Status kept = Keep();
      if (!kept.ok()) co_return kept;
      co_return absl::FailedPreconditionError("the provider refused a batch; its own page says why");
    }
    if (state != "completed" && state != "expired" && state != "cancelled") continue;
    ++*ended;
    OpenBatch over = batch;
    const absl::Status finished = co_await Finish(std::move(over), std::move(reply.answer));
    if (!finished.ok()) co_return finished;
  }
  co_return absl::OkStatus();
}

Task<absl::Status> BatchRun::Finish(OpenBatch batch, Json answer) {
  int64_t cost = 0;
  for (const char* name : {"output_file_id", "error_file_id"}) {
    const std::string id = TextField(answer, name);
    if (!IsProviderId(id)) continue;
    ApiRequest request = DownloadRequest(id, kMaxAnswerBytes);
    ApiReply reply = co_await api_->Call(std::move(request), nullptr, parts_.cancel);
    if (reply.end != ApiEnd::kAnswered) co_return StatusOf(reply);
    const absl::Status settled = co_await Settle(std::move(reply.file), &cost);
    if (!settled.ok()) co_return settled;
  }
  const auto same = [&batch](const OpenBatch& open) { return open.id == batch.id; };
  state_.open.erase(std::remove_if(state_.open.begin(), state_.open.end(), same), state_.open.end());
  const absl::Status kept = Keep();
  if (!kept.ok()) co_return kept;
  parts_.budget->Settle(batch.reserved_micro_usd, cost);
  co_return parts_.journal->RecordMoney(parts_.budget->spent_micro_usd(),
                                        parts_.budget->reserved_micro_usd());
}

Task<absl::Status> BatchRun::Settle(std::string file, int64_t* cost_micro_usd) {
  absl::Status status;
  WaitGroup group;
  std::string_view rest = file;
  while (!rest.empty() && status.ok()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    std::optional<BatchAnswer> answer = ParseBatchAnswer(
        line, style_, price_, MostAnswerTokens(style_, model_, options_.params), api_->key());
    if (!answer.has_value() || answer->index >= static_cast<int64_t>(done_.size())) continue;
    *cost_micro_usd += answer->attempt.usage.cost_micro_usd;
    if (Settled(answer->index)) continue;  // before a kill
    group.Add();
    BatchAnswer next = *std::move(answer);
    Spawn(SettleOne(std::move(next), &group, &status));
    co_await group.WaitUntil(options_.concurrency - 1);
  }
  co_await group.Wait();
  co_return status;
}

Task<void> BatchRun::SettleOne(BatchAnswer answer, WaitGroup* group, absl::Status* status) {
  absl::StatusOr<NumberedCaption> read = parts_.captions->Read(answer.index);
  if (read.ok() && read->state == CaptionState::kGood) {
    Replay replay(std::move(answer.attempt));
    AnswerModerator moderator(parts_.moderator);
    PromptParts one;
    one.model = &replay;
    one.moderator = &moderator;
    one.spend = parts_.budget;
    one.cancel = parts_.cancel;
    one.params = options_.params;
    one.params.max_tries = 1;
    Caption caption = std::move(read->caption);
    MadePrompt made = co_await MakePrompt(one, std::move(caption));
    made.outcome.line = read->line;
    if (!made.end.ok()) {
      status->Update(made.end);
    } else if (!Settled(answer.index)) {  // as a line that came twice is by now
      const bool again = MayImprove(made.outcome.rejected) && !LastRound();
      status->Update(again ? RecordTried(made.outcome) : Record(std::move(made.outcome)));
    }
  } else if (!read.ok()) {
    status->Update(read.status());
  }
  group->Done();
}

absl::Status BatchRun::EndRound(bool* over) {
  bool unanswered = false;
  for (int64_t position = share_.begin; position < share_.end; ++position) {
    const int64_t index = order_.At(position);
    if (done_[static_cast<size_t>(index)]) continue;
    unanswered = true;
    if (!LastRound()) break;
    IP2P_ASSIGN_OR_RETURN(const NumberedCaption caption, parts_.captions->Read(index));
    Outcome outcome;
    outcome.index = index;
    outcome.line = caption.line;
    outcome.rejected = RejectReason::kProviderError;
    outcome.detail = "no batch answered";
    IP2P_RETURN_IF_ERROR(Record(std::move(outcome)));
  }
  *over = !unanswered || LastRound();
  if (*over) return absl::OkStatus();
  ++state_.round;
  state_.next = share_.begin;
  return Keep();
}

}  // namespace ip2p
