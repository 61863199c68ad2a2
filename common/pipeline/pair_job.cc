// The job in order: claim the partition, see what is left, load the models, make prompt after prompt.
#include "common/pipeline/pair_job.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/partition_writer.h"
#include "common/dataset/picture_list.h"
#include "common/dataset/prompts_file.h"
#include "common/image/decode.h"
#include "common/object_store/local_copy.h"
#include "common/pipeline/pair_settings.h"

namespace ip2p {
namespace {

constexpr size_t kNanTrials = 4;  // a prompt of at least so many samples, all NaN, is the model's fault

// Pictures by their captions; of several with one caption the first.
class Photos {
 public:
  explicit Photos(PictureList list) : list_(std::move(list)) {
    for (size_t i = 0; i < list_.pictures().size(); ++i) by_caption_.emplace(list_.pictures()[i].caption, i);
  }

  bool Has(const std::string& caption) const { return by_caption_.contains(caption); }
  absl::StatusOr<Image> Of(const std::string& caption) const {
    IP2P_ASSIGN_OR_RETURN(const std::string bytes, list_.BytesOf(list_.pictures()[by_caption_.at(caption)]));
    IP2P_ASSIGN_OR_RETURN(DecodedImage decoded, DecodeImage(bytes));
    return std::move(decoded.image);
  }
  const std::string& sha256() const { return list_.sha256(); }

 private:
  PictureList list_;
  std::unordered_map<std::string, size_t> by_caption_;
};

const std::string& CaptionOfPhoto(const PairPrompt& prompt) {
  return prompt.photo_side == PhotoSide::kAfter ? prompt.output : prompt.caption;
}

bool AllNan(const PromptPairs& pairs) {
  for (const Sample& sample : pairs.samples) {
    if (sample.verdict != SampleVerdict::kNotFinite) return false;
  }
  return pairs.samples.size() >= kNanTrials;
}

class Job {
 public:
  Job(const PairJobOptions& options, const SamplerFactory& factory, PairJobListener& listener,
      PairJobReport& report)
      : options_(options), factory_(factory), listener_(listener), report_(report) {}

  absl::Status Run() {
    IP2P_RETURN_IF_ERROR(CheckPairJob(options_));
    IP2P_ASSIGN_OR_RETURN(const std::string prompts, LocalPath(options_.prompts_file));
    IP2P_ASSIGN_OR_RETURN(rows_, PromptsFile::Open(prompts));
    share_ = ShareOf(rows_->size(), options_.n_partitions, options_.partition);
    report_.rows = share_.end - share_.begin;
    if (report_.rows == 0) return absl::OkStatus();
    RunSettings settings = SettingsOf(options_.params);
    settings[kPromptRows] = rows_->size();
    settings[kPromptsSha256] = rows_->sha256();
    if (!options_.photos.empty()) {
      IP2P_ASSIGN_OR_RETURN(const std::string folder, LocalPath(options_.photos));
      IP2P_ASSIGN_OR_RETURN(PictureList list, PictureList::Read(folder));
      photos_.emplace(std::move(list));
      settings[kPhotosSha256] = photos_->sha256();
      if (options_.photo_side == PhotoSide::kAfter) settings[kPhotosShow] = "after";
    }
    IP2P_ASSIGN_OR_RETURN(
        writer_,
        PartitionWriter::Open(
            {.dataset = options_.out_dir, .share = share_, .known = settings, .lock = options_.lock}));
    IP2P_RETURN_IF_ERROR(Survey());
    if (report_.left == 0) return absl::OkStatus();
    listener_.OnLoading(report_);
    IP2P_ASSIGN_OR_RETURN(sampler_, factory_());
    settings[kPrecision] = sampler_->precision_name();
    settings[kWeights] = sampler_->fingerprint();
    IP2P_RETURN_IF_ERROR(writer_->Agree(settings));
    return Work();
  }

 private:
  // Without its photo.
  absl::StatusOr<PairPrompt> UsablePrompt(const PromptRow& row) const {
    IP2P_RETURN_IF_ERROR(row.status);
    PairPrompt prompt{
        .caption = row.prompt.caption, .output = row.prompt.output, .photo_side = options_.photo_side};
    IP2P_RETURN_IF_ERROR(ValidatePairPrompt(prompt));
    if (photos_.has_value() && !photos_->Has(CaptionOfPhoto(prompt))) {
      return absl::InvalidArgumentError(absl::StrCat(
          "no picture of the photos has this ", options_.photo_side == PhotoSide::kAfter ? "edited " : "",
          "caption; wants one, word for word"));
    }
    return prompt;
  }

  absl::Status TakePhoto(PairPrompt& prompt) const {
    if (!photos_.has_value()) return absl::OkStatus();
    absl::StatusOr<Image> photo = photos_->Of(CaptionOfPhoto(prompt));
    if (!photo.ok()) return absl::InvalidArgumentError(absl::StrCat("its photo: ", photo.status().message()));
    prompt.photo = *std::move(photo);
    return absl::OkStatus();
  }

  void TellBad(const PromptRow& row, const absl::Status& fault) {
    ++report_.bad_rows;
    listener_.OnBadRow(row.number, fault);
  }

  // Counts what is finished, and tells the bad rows.
  absl::Status Survey() {
    IP2P_RETURN_IF_ERROR(rows_->Rewind(share_));
    PromptRow row;
    for (;;) {
      IP2P_ASSIGN_OR_RETURN(const bool more, rows_->Next(row));
      if (!more) return absl::OkStatus();
      if (const absl::StatusOr<PairPrompt> prompt = UsablePrompt(row); !prompt.ok()) {
        TellBad(row, prompt.status());
        continue;
      }
      IP2P_ASSIGN_OR_RETURN(const bool finished, writer_->Finished(row.index));
      ++(finished ? report_.resumed : report_.left);
    }
  }

  absl::Status Work() {
    IP2P_RETURN_IF_ERROR(rows_->Rewind(share_));
    PromptRow row;
    for (;;) {
      IP2P_ASSIGN_OR_RETURN(const bool more, rows_->Next(row));
      if (!more) return absl::OkStatus();
      absl::StatusOr<PairPrompt> prompt = UsablePrompt(row);
      if (!prompt.ok()) continue;
      IP2P_ASSIGN_OR_RETURN(const bool finished, writer_->Finished(row.index));
      if (finished) continue;
      if (const absl::Status fault = TakePhoto(*prompt); !fault.ok()) {
        TellBad(row, fault);
        --report_.left;
        continue;
      }
      IP2P_RETURN_IF_ERROR(Make(row, *prompt));
    }
  }

  absl::Status Make(const PromptRow& row, const PairPrompt& prompt) {
    PairHooks hooks;
    hooks.sample = [this](const Sample& sample) { listener_.OnSample(sample); };
    hooks.step = [this](const PairStep& step) {
      IP2P_RETURN_IF_ERROR(writer_->Held());
      return listener_.OnStep(report_, step);
    };
    IP2P_ASSIGN_OR_RETURN(const PromptPairs pairs,
                          GeneratePairs(*sampler_, prompt, row.index, options_.params, hooks));
    if (AllNan(pairs)) {
      return absl::FailedPreconditionError(
          absl::StrCat("all ", pairs.samples.size(), " samples of row ", row.index, " are NaN at precision ",
                       sampler_->precision_name(), "; wants a sound model, or another --precision"));
    }
    IP2P_RETURN_IF_ERROR(writer_->Publish(
        row.index, {.prompt_line = row.line, .samples = pairs.samples, .pairs = pairs.pairs}));
    Count(pairs);
    listener_.OnPrompt(report_);
    return absl::OkStatus();
  }

  void Count(const PromptPairs& pairs) {
    ++report_.finished;
    --report_.left;
    report_.sampled += static_cast<int64_t>(pairs.samples.size());
    report_.passed += pairs.passed;
    report_.kept += static_cast<int64_t>(pairs.kept.size());
    report_.saved += pairs.saved;
    report_.without_pairs += pairs.kept.empty() ? 1 : 0;
    for (const Sample& sample : pairs.samples) ++report_.verdicts[static_cast<size_t>(sample.verdict)];
  }

  const PairJobOptions& options_;
  const SamplerFactory& factory_;
  PairJobListener& listener_;
  PairJobReport& report_;

  std::unique_ptr<PromptsFile> rows_;
  std::optional<Photos> photos_;
  Share share_;
  std::unique_ptr<PartitionWriter> writer_;
  std::unique_ptr<PairSampler> sampler_;
};

}  // namespace

absl::Status CheckPairJob(const PairJobOptions& options) {
  if (options.n_partitions < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("n_partitions is ", options.n_partitions, "; wants 1 or more"));
  }
  if (options.partition < 0 || options.partition >= options.n_partitions) {
    return absl::InvalidArgumentError(absl::StrCat("partition is ", options.partition, "; wants 0..",
                                                   options.n_partitions - 1, " of ", options.n_partitions));
  }
  if (!options.photos.empty() && options.params.common_steps <= 0) {
    return absl::InvalidArgumentError(
        "photos are given and common_steps is 0; wants more: those lead to them");
  }
  if (options.photos.empty() && options.photo_side == PhotoSide::kAfter) {
    return absl::InvalidArgumentError("photos_show is after and no photos are given; wants --photos");
  }
  return ValidatePairs(options.params);
}

absl::Status RunPairJob(const PairJobOptions& options, const SamplerFactory& factory,
                        PairJobListener& listener, PairJobReport& report) {
  absl::Status status = Job(options, factory, listener, report).Run();
  if (!absl::IsAborted(status)) return status;
  report.elsewhere = true;  // it does what is left here
  return absl::OkStatus();
}

}  // namespace ip2p
