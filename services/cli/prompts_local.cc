// A generation in this process: the engine of common/prompts on this thread. Ctrl-C comes from another one
// and is posted to the loop.
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "services/cli/prompts_generate.h"
#include "services/cli/prompts_reporter.h"

namespace ip2p {
namespace {

Task<void> RunJob(GenerationJob* job, Providers* providers, RunListener* listener, CancelToken* cancel,
                  absl::Status* status) {
  *status = co_await job->Run(*providers, listener, cancel);
}

}  // namespace

absl::Status GenerateLocally(GenerateTask task, Console& console) {
  EventLoop loop;
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<Providers> providers, Providers::Create(&loop, task.providers));
  absl::StatusOr<std::unique_ptr<GenerationJob>> job = GenerationJob::Open(std::move(task.order));
  if (absl::IsAborted(job.status())) {
    console.err << job.status().message() << "; nothing is left to do here\n";
    return absl::OkStatus();
  }
  if (!job.ok()) return job.status();
  const ProviderKind kind = providers->Resolve((*job)->order().provider);
  if (kind == ProviderKind::kShapes) {
    console.err << "provider: shapes, which knows captions of coloured shapes only\n";
  }
  absl::Status status;
  PromptsReporter reporter(console);
  CancelToken cancel;
  {
    const Cancellation::Scope scope(console.cancellation,
                                    [&loop, &cancel] { loop.Post([&cancel] { cancel.Cancel(); }); });
    loop.Run(RunJob(job->get(), providers.get(), &reporter, &cancel, &status));
  }
  if (task.json) console.out << CountsJson((*job)->counts());
  return status;
}

}  // namespace ip2p
