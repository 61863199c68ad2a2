// Decides per folder from its scores; only what changed is written.
#include "common/pipeline/pair_refilter.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/partition_writer.h"
#include "common/dataset/seeds_file.h"
#include "common/pipeline/pair_settings.h"
#include "common/storage/io_error.h"

namespace ip2p {
namespace {

constexpr const char* kRefiltering = "refiltering";

std::string TextOf(const RunSettings& settings, const char* key) {
  const auto found = settings.find(key);
  return found != settings.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// `found` with other parameters, in the order in which a job writes run.json.
RunSettings WithParams(const RunSettings& found, const PairParams& params) {
  RunSettings settings = SettingsOf(params);
  for (const char* key : {kPromptRows, kPromptsSha256, kPrecision, kWeights}) {
    if (const auto value = found.find(key); value != found.end()) settings[key] = *value;
  }
  return settings;
}

class Refilter {
 public:
  Refilter(const RefilterOptions& options, const SamplerFactory& factory, RefilterListener& listener,
           RefilterReport& report)
      : options_(options), factory_(factory), listener_(listener), report_(report) {}

  absl::Status Run() {
    IP2P_RETURN_IF_ERROR(ReadRunFile(options_.dataset).status());  // before a lock is laid into any folder
    IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<PartitionLock> lock,
                          PartitionLock::Acquire(options_.dataset, kAllPrompts, options_.lock));
    lock_ = lock.get();
    IP2P_ASSIGN_OR_RETURN(const RunSettings found, ReadRunFile(options_.dataset));
    if (found.contains(kPhotosSha256)) {
      return absl::FailedPreconditionError(
          "the dataset was made from photos, which it does not hold; wants one made without");
    }
    IP2P_ASSIGN_OR_RETURN(params_, ParamsOf(found));
    const RunSettings original = WithParams(found, params_);
    IP2P_RETURN_IF_ERROR(Adopt(found));
    RunSettings settings = WithParams(found, params_);
    IP2P_RETURN_IF_ERROR(RemoveStale(options_.dataset, kAllPrompts));
    IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, DatasetReader::Open(options_.dataset));
    const bool resumed = found.contains(kRefiltering);
    settings[kRefiltering] = true;
    IP2P_RETURN_IF_ERROR(ReplaceRunFile(options_.dataset, settings));
    if (absl::Status status = Folders(reader); !status.ok()) {
      // Nothing was changed: it stays the dataset that it was.
      if (report_.changed == 0 && !resumed) ReplaceRunFile(options_.dataset, original).IgnoreError();
      return status;
    }
    // Before run.json tells that all is done: a run that is killed here does it again.
    if (resumed || report_.changed > 0) IP2P_RETURN_IF_ERROR(WriteSeedsAgain());
    settings.erase(kRefiltering);
    return ReplaceRunFile(options_.dataset, settings);
  }

 private:
  // Training that reads it must not meet pairs that went.
  absl::Status WriteSeedsAgain() const {
    std::error_code error;
    if (!std::filesystem::exists(absl::StrCat(options_.dataset, "/seeds.json"), error)) {
      return error ? IoError(error.value(), "seeds.json cannot be looked at") : absl::OkStatus();
    }
    return WriteSeedsFile(options_.dataset).status();
  }

  // The new thresholds take the place of the old ones.
  absl::Status Adopt(const RunSettings& settings) {
    ClipThresholds& thresholds = params_.thresholds;
    thresholds.clip = options_.clip_threshold.value_or(thresholds.clip);
    thresholds.dir = options_.clip_dir_threshold.value_or(thresholds.dir);
    thresholds.img = options_.clip_img_threshold.value_or(thresholds.img);
    if (options_.max_out_samples != 0) params_.max_out_samples = options_.max_out_samples;
    IP2P_RETURN_IF_ERROR(ValidatePairs(params_));
    if (params_.thresholds.all_zero()) {
      return absl::InvalidArgumentError("all thresholds are 0; wants at least one, the scores are there");
    }
    if (params_.early_stop) {
      return absl::FailedPreconditionError(
          "the dataset was made with early stop, whose samples follow from its thresholds; wants one "
          "without");
    }
    weights_ = TextOf(settings, kWeights);
    precision_ = TextOf(settings, kPrecision);
    return absl::OkStatus();
  }

  absl::Status Folders(const DatasetReader& reader) {
    for (const std::string& folder : reader.folders()) {
      IP2P_RETURN_IF_ERROR(Folder(reader, folder));
      IP2P_RETURN_IF_ERROR(listener_.OnProgress(report_, static_cast<int64_t>(reader.folders().size())));
    }
    return absl::OkStatus();
  }

  absl::Status Folder(const DatasetReader& reader, const std::string& folder) {
    const std::optional<int64_t> index = PromptIndexOf(folder);
    if (!index) return absl::OkStatus();  // not of this system
    IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader.ReadPrompt(folder));
    if (!record.has_scores || record.bad_lines > 0 || record.prompt_json.empty()) {
      return absl::DataLossError(
          absl::StrCat(folder, " lacks its scores or its prompt; wants what pairs generate wrote"));
    }
    ++report_.prompts;
    std::vector<Sample> samples = record.samples;
    IP2P_RETURN_IF_ERROR(JudgeAgain(folder, samples));
    for (const Sample& sample : samples) report_.kept += sample.kept ? 1 : 0;
    if (samples == record.samples) return absl::OkStatus();
    return Replace(reader, record, *index, samples);
  }

  absl::Status JudgeAgain(const std::string& folder, std::vector<Sample>& samples) const {
    for (Sample& sample : samples) {
      if (sample.verdict == SampleVerdict::kUnsafe || sample.verdict == SampleVerdict::kNotFinite) continue;
      if (!sample.scores) {
        return absl::FailedPreconditionError(absl::StrCat("seed ", sample.seed, " of ", folder,
                                                          " has no scores; wants a run that asked CLIP"));
      }
      sample.verdict = Judge(*sample.scores, params_.thresholds);
    }
    MarkKept(samples, params_.max_out_samples);
    return absl::OkStatus();
  }

  absl::Status Replace(const DatasetReader& reader, const PromptRecord& record, int64_t index,
                       const std::vector<Sample>& samples) {
    std::vector<StoredPair> pairs;
    std::vector<uint64_t> missing;
    for (size_t i = 0; i < samples.size(); ++i) {
      const Sample& sample = samples[i];
      report_.dropped += record.samples[i].kept && !sample.kept ? 1 : 0;
      if (!sample.kept) continue;
      absl::StatusOr<std::string> before = reader.ReadFileOf(record.folder, BeforeName(sample.seed));
      absl::StatusOr<std::string> after = reader.ReadFileOf(record.folder, AfterName(sample.seed));
      if (before.ok() && after.ok()) {
        pairs.push_back({sample.seed, *std::move(before), *std::move(after)});
      } else {
        missing.push_back(sample.seed);
      }
    }
    IP2P_RETURN_IF_ERROR(MakeAgain({record.caption, record.output}, missing, pairs));
    IP2P_RETURN_IF_ERROR(lock_->Held());
    const absl::Status replaced = ReplacePrompt(
        options_.dataset, index, {.prompt_line = record.prompt_json, .samples = samples, .pairs = pairs});
    if (!replaced.ok()) return lock_->Explain(replaced);
    ++report_.changed;
    report_.rebuilt += static_cast<int64_t>(missing.size());
    return absl::OkStatus();
  }

  absl::Status MakeAgain(const PairPrompt& prompt, std::span<const uint64_t> seeds,
                         std::vector<StoredPair>& pairs) {
    if (seeds.empty()) return absl::OkStatus();
    IP2P_RETURN_IF_ERROR(Load());
    PairParams params = params_;
    params.thresholds = {0, 0, 0};  // the scores are known
    params.safety_check = false;    // so is what it said
    const StepHook hook = [this](int, int) -> absl::Status {
      IP2P_RETURN_IF_ERROR(lock_->Held());
      return listener_.OnProgress(report_, 0);
    };
    const auto batch = static_cast<size_t>(std::max(sampler_->BatchSize(params.resolution), 1));
    for (size_t at = 0; at < seeds.size(); at += batch) {
      IP2P_ASSIGN_OR_RETURN(
          const std::vector<MadeSample> made,
          sampler_->Make(prompt, params, seeds.subspan(at, std::min(batch, seeds.size() - at)), hook));
      for (const MadeSample& sample : made) {
        if (!sample.finite) return absl::InternalError("a sample that was finite is NaN when made again");
        StoredPair& pair = pairs.emplace_back(StoredPair{.seed = sample.seed, .before = {}, .after = {}});
        IP2P_ASSIGN_OR_RETURN(pair.before, EncodePairImage(sample.before));
        IP2P_ASSIGN_OR_RETURN(pair.after, EncodePairImage(sample.after));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Load() {
    if (sampler_ != nullptr) return absl::OkStatus();
    listener_.OnLoading();
    IP2P_ASSIGN_OR_RETURN(std::unique_ptr<PairSampler> sampler, factory_());
    if (sampler->fingerprint() != weights_ || sampler->precision_name() != precision_) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the models are ", sampler->fingerprint(), " at ", sampler->precision_name(), "; wants ", weights_,
          " at ", precision_, ", which made the dataset (the same --ckpt, --vae-ckpt, --clip, ",
          "--safety-checker and --precision)"));
    }
    sampler_ = std::move(sampler);
    return absl::OkStatus();
  }

  const RefilterOptions& options_;
  const SamplerFactory& factory_;
  RefilterListener& listener_;
  RefilterReport& report_;

  PairParams params_;
  std::string weights_;
  std::string precision_;
  PartitionLock* lock_ = nullptr;
  std::unique_ptr<PairSampler> sampler_;
};

}  // namespace

absl::Status RefilterDataset(const RefilterOptions& options, const SamplerFactory& factory,
                             RefilterListener& listener, RefilterReport& report) {
  absl::Status status = Refilter(options, factory, listener, report).Run();
  if (!absl::IsAborted(status)) return status;
  return absl::UnavailableError(
      absl::StrCat("a job or another refilter works on the dataset: ", status.message()));
}

}  // namespace ip2p
