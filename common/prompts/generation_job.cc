#include "common/prompts/generation_job.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/prompts/batch_run.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxPartitions = 1'000'000;
constexpr int kMaxConcurrency = 1024;
constexpr size_t kMaxModelBytes = 256;

void Want(bool good, std::vector<std::string>& faults, std::string fault) {
  if (!good) faults.push_back(std::move(fault));
}

std::string TempFolderOf(const GenerationOrder& order) {
  if (!order.temp_folder.empty()) return order.temp_folder;
  std::error_code error;
  fs::path folder =
      order.output_path.empty() ? fs::temp_directory_path(error) : fs::path(order.output_path).parent_path();
  return folder.empty() ? "." : folder.string();
}

// An absurd pause, or a clock that was set back, costs no more than a pause that is waited for.
absl::Time Bounded(absl::Time until, OpenAiApi& api) {
  return std::min(until, api.loop().Now() + api.config().retry.longest_retry_after);
}

// What the provider asks for binds the next process, too, and is told.
void KeepGate(Journal* journal, RunListener* listener, OpenAiApi& api,
              std::optional<RateLimiter::Watch>& watch) {
  if (journal != nullptr) api.limiter().BlockUntil(Bounded(journal->past().closed_until, api));
  watch.emplace(&api.limiter(), [journal, listener, &api](absl::Time until) {
    // A disk that fails here fails the next outcome, which ends the run.
    if (journal != nullptr) static_cast<void>(journal->RecordClosed(until));
    if (listener != nullptr) listener->OnPause(until - api.loop().Now());
  });
}

}  // namespace

absl::Status CheckOrder(const GenerationOrder& order) {
  std::vector<std::string> faults;
  const RunOptions& run = order.run;
  const GenerationParams& params = run.params;
  Want(run.n_partitions >= 1 && run.n_partitions <= kMaxPartitions, faults,
       absl::StrCat("n_partitions is ", run.n_partitions, "; wants 1..", kMaxPartitions));
  Want(run.partition >= 0 && run.partition < run.n_partitions, faults,
       absl::StrCat("partition is ", run.partition, "; wants 0..", run.n_partitions - 1));
  Want(run.concurrency >= 1 && run.concurrency <= kMaxConcurrency, faults,
       absl::StrCat("concurrency is ", run.concurrency, "; wants 1..", kMaxConcurrency));
  Want(params.temperature >= 0 && params.temperature <= 2, faults,  // false for NaN, too
       absl::StrCat("temperature is ", params.temperature, "; wants 0..2"));
  Want(params.max_tokens >= 1 && params.max_tokens <= 4096, faults,
       absl::StrCat("max_tokens is ", params.max_tokens, "; wants 1..4096"));
  Want(params.frequency_penalty >= -2 && params.frequency_penalty <= 2, faults,
       absl::StrCat("frequency_penalty is ", params.frequency_penalty, "; wants -2..2"));
  Want(params.max_tries >= 1 && params.max_tries <= 10, faults,
       absl::StrCat("max_tries is ", params.max_tries, "; wants 1..10"));
  Want(params.model.size() <= kMaxModelBytes, faults,
       absl::StrCat("model is ", params.model.size(), " bytes; wants at most ", kMaxModelBytes));
  Want(order.max_micro_usd.value_or(0) >= 0, faults,
       absl::StrCat("the budget is ", order.max_micro_usd.value_or(0),
                    " millionths of a dollar; wants 0 or more"));
  if (faults.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
}

std::string PartitionPath(const std::string& path, int64_t n_partitions, int64_t partition) {
  if (n_partitions == 1) return path;
  const fs::path whole(path);
  const std::string name = absl::StrFormat("%s-%05d-of-%05d%s", whole.stem().string(), partition,
                                           n_partitions, whole.extension().string());
  return (whole.parent_path() / name).string();
}

absl::StatusOr<std::unique_ptr<GenerationJob>> GenerationJob::Open(GenerationOrder order) {
  IP2P_RETURN_IF_ERROR(CheckOrder(order));
  const std::string temp_folder = TempFolderOf(order);
  std::error_code error;
  if (!order.output_path.empty() && order.temp_folder.empty() && !fs::is_directory(temp_folder, error)) {
    return absl::NotFoundError("the output's folder does not exist; wants one");
  }
  std::unique_ptr<CaptionFile> captions;
  if (order.captions_path.empty()) {
    IP2P_ASSIGN_OR_RETURN(captions, CaptionFile::FromList(order.captions, temp_folder));
    order.captions.clear();
  } else {
    IP2P_ASSIGN_OR_RETURN(captions, CaptionFile::Open(order.captions_path, {.temp_folder = temp_folder}));
  }
  std::unique_ptr<Journal> journal;
  if (!order.output_path.empty()) {
    const RunOptions& run = order.run;
    order.output_path = PartitionPath(order.output_path, run.n_partitions, run.partition);
    IP2P_ASSIGN_OR_RETURN(journal, Journal::Open(order.output_path, {.captions = captions->size(),
                                                                     .fingerprint = captions->fingerprint(),
                                                                     .seed = run.params.seed,
                                                                     .n_partitions = run.n_partitions,
                                                                     .partition = run.partition}));
  }
  return std::unique_ptr<GenerationJob>(
      new GenerationJob(std::move(order), std::move(captions), std::move(journal)));
}

Task<absl::Status> GenerationJob::Run(Providers& providers, RunListener* listener, CancelToken* cancel) {
  Journal* const journal = journal_.get();
  Budget::Record record;
  if (journal != nullptr) {
    record = [journal](int64_t spent, int64_t reserved) { return journal->RecordMoney(spent, reserved); };
  }
  Budget budget(order_.max_micro_usd, journal == nullptr ? 0 : journal->past().spent_micro_usd, record);
  const ProviderKind kind = providers.Resolve(order_.provider);
  const absl::StatusOr<PromptModel*> model =
      providers.Writer(kind, order_.run.params, order_.max_micro_usd.has_value());
  if (!model.ok()) co_return model.status();
  RunParts parts;
  parts.loop = &providers.loop();
  parts.captions = captions_.get();
  parts.model = *model;
  parts.moderator = providers.JudgeOf(kind);
  parts.budget = &budget;
  parts.journal = journal;
  parts.listener = listener;
  parts.cancel = cancel;
  std::optional<RateLimiter::Watch> watch;
  if (kind != ProviderKind::kShapes) KeepGate(journal, listener, providers.api(), watch);
  if (kind == ProviderKind::kOpenAiBatch) {
    const absl::Status batched = co_await RunBatches(parts, providers);
    spent_ = budget.spent_micro_usd();
    co_return batched;
  }
  GenerationRun run(parts, order_.run);
  const absl::Status status = co_await run.Run();
  counts_ = run.counts();
  spent_ = budget.spent_micro_usd();
  co_return status;
}

Task<absl::Status> GenerationJob::RunBatches(const RunParts& parts, Providers& providers) {
  if (journal_ == nullptr) {
    co_return absl::FailedPreconditionError(
        "openai-batch without an output forgets its batches; wants an output");
  }
  const std::string& named = order_.run.params.model;
  const std::string model = named.empty() ? providers.ModelOf(ProviderKind::kOpenAiBatch) : named;
  const TokenPrice price = providers.prices().Find(model).value_or(TokenPrice{});
  BatchRun run(parts, order_.run, &providers.api(), model, price);
  const absl::Status status = co_await run.Run();
  counts_ = run.counts();
  co_return status;
}

}  // namespace ip2p
