// `ip2p dataset refilter DATASET`: other thresholds for pairs that are there.
#include "services/cli/dataset_refilter.h"

#include <atomic>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/object_store/object_url.h"
#include "common/pipeline/pair_refilter.h"
#include "services/cli/pairs_commands.h"

namespace ip2p {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);

struct RefilterFlags {
  RefilterOptions options;
  SamplerFlags sampler;
  bool json = false;
};

class Reporter final : public RefilterListener {
 public:
  explicit Reporter(Console& console) : console_(console), told_(console.clock->Now()) {}

  void Cancel() { cancelled_ = true; }
  void OnLoading() override { console_.err << "pairs are missing; loading the models\n" << std::flush; }
  absl::Status OnProgress(const RefilterReport& report, int64_t folders) override {
    if (cancelled_) return absl::CancelledError("cancelled; the same command goes on where this ended");
    if (folders > 0 && console_.clock->Now() - told_ >= kBetweenLines) {
      told_ = console_.clock->Now();
      console_.err << absl::StrFormat("%d/%d prompts, %d changed\n", report.prompts, folders, report.changed)
                   << std::flush;
    }
    return absl::OkStatus();
  }

 private:
  Console& console_;
  absl::Time told_;
  std::atomic<bool> cancelled_ = false;
};

// Asked only when pairs are missing.
SamplerFactory FactoryIfNamed(const SamplerFlags& flags, const Console& console) {
  if (!flags.models.checkpoint.empty()) return FactoryOf(flags, console);
  return []() -> absl::StatusOr<std::unique_ptr<PairSampler>> {
    return absl::InvalidArgumentError(
        "pairs that pass now have to be made again, and no model is named; wants --ckpt and the other models "
        "of the dataset");
  };
}

absl::Status Run(const RefilterFlags& flags, Console& console) {
  if (IsObjectUrl(flags.options.dataset)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the dataset is ", flags.options.dataset,
                     ", whose prompts are not written again; wants a folder: pack it, "
                     "unpack that here, refilter and pack again"));
  }
  Reporter reporter(console);
  const Cancellation::Scope scope(console.cancellation, [&reporter] { reporter.Cancel(); });
  RefilterReport report;
  const absl::Status status =
      RefilterDataset(flags.options, FactoryIfNamed(flags.sampler, console), reporter, report);
  if (flags.json) {
    const nlohmann::ordered_json json = {{"prompts", report.prompts},
                                         {"changed", report.changed},
                                         {"kept", report.kept},
                                         {"dropped", report.dropped},
                                         {"rebuilt", report.rebuilt}};
    console.out << json.dump() << "\n";
  }
  console.err << absl::StrFormat("%d prompts, %d changed; %d pairs kept, %d dropped, %d made again\n",
                                 report.prompts, report.changed, report.kept, report.dropped, report.rebuilt);
  return status;
}

}  // namespace

void AddDatasetRefilter(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command =
      noun.add_subcommand("refilter", "Apply other thresholds; pairs that pass now are made again");
  const auto flags = std::make_shared<RefilterFlags>();
  command->add_option("dataset", flags->options.dataset, "Folder that pairs generate made")->required();
  RefilterOptions& options = flags->options;
  command->add_option("--clip-threshold", options.clip_threshold,
                      "Least cosine of each image and its caption (default: the dataset's)");
  command->add_option("--clip-dir-threshold", options.clip_dir_threshold,
                      "Least cosine of the images' change and the captions' change (default: the dataset's)");
  command->add_option("--clip-img-threshold", options.clip_img_threshold,
                      "Least cosine of both images (default: the dataset's)");
  command
      ->add_option("--max-out-samples", options.max_out_samples,
                   "Pairs kept per prompt, 1..1000; 0: the dataset's")
      ->capture_default_str();
  AddSamplerFlags(*command, flags->sampler);
  command->get_option("--ckpt")->description(
      "Model that made the dataset; wanted only where pairs have to be made again");
  command->add_flag("--json", flags->json, "Print the report as JSON");
  command->callback([flags, &console, &chosen] {
    FinishSamplerFlags(flags->sampler);
    chosen.needs_torch = !flags->sampler.models.checkpoint.empty();
    chosen.run = [flags, &console] { return Run(*flags, console); };
  });
}

}  // namespace ip2p
