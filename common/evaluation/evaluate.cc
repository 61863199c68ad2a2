// A group of samples at a time: read, edit at every guidance together, score, write down.
#include "common/evaluation/evaluate.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/permutation.h"
#include "common/base/status_macros.h"
#include "common/evaluation/evaluation_journal.h"
#include "common/image/encode.h"
#include "common/pipeline/pending_edits.h"
#include "common/storage/atomic_file.h"
#include "common/storage/make_folder.h"
#include "common/training/augment.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

// Streams of numbers apart from each other.
constexpr uint64_t kChoice = 1;
constexpr uint64_t kNoise = 2;

struct Subject {
  SampleRecord record;  // with a fault: the rest is empty
  EditSubject edit;
  std::string instruction;
};

// The example is damaged, and no later try would help.
bool IsDamage(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsInvalidArgument(status) || absl::IsDataLoss(status) ||
         absl::IsResourceExhausted(status);
}

class Evaluation {
 public:
  Evaluation(const EvaluationTask& task, EditEngine& engine, EditScorer& scorer, EvaluationListener& listener)
      : task_(task),
        options_(task.options),
        guidances_(GuidancesOf(task.options)),
        order_(task.examples.size(), task.options.seed),
        engine_(engine),
        scorer_(scorer),
        listener_(listener) {}

  absl::StatusOr<std::vector<SampleRecord>> Run() {
    IP2P_RETURN_IF_ERROR(ValidateEvaluation(options_));
    IP2P_ASSIGN_OR_RETURN(EvaluationJournal journal,
                          EvaluationJournal::Open(task_.folder, task_.settings, guidances_));
    const int64_t wanted = std::min(options_.max_samples, task_.examples.size());
    records_ = journal.past();
    if (static_cast<int64_t>(records_.size()) > wanted) records_.resize(wanted);  // fewer than before
    progress_ = {.samples = static_cast<int64_t>(records_.size()), .wanted = wanted};
    for (const SampleRecord& record : records_) progress_.left_out += record.fault.empty() ? 0 : 1;
    progress_.all_steps = (wanted - progress_.samples) * StepsOfSample();
    if (options_.save_images) IP2P_RETURN_IF_ERROR(PrepareImages());
    IP2P_RETURN_IF_ERROR(listener_.OnProgress(progress_));
    const int64_t group =
        std::max<int64_t>(1, (task_.together + static_cast<int64_t>(guidances_.size()) - 1) /
                                 static_cast<int64_t>(guidances_.size()));
    while (progress_.samples < wanted) {
      IP2P_RETURN_IF_ERROR(Group(std::min(group, wanted - progress_.samples), journal));
    }
    if (progress_.left_out == wanted) {
      return absl::DataLossError(absl::StrCat("all of ", wanted, " samples are damaged, the first one: ",
                                              records_.front().fault, "; wants at least one whole pair"));
    }
    return std::move(records_);
  }

 private:
  int64_t StepsOfSample() const { return static_cast<int64_t>(guidances_.size()) * options_.steps; }

  absl::Status PrepareImages() const {
    IP2P_RETURN_IF_ERROR(MakeFolder(task_.folder + "/images", "the folder of images"));
    return absl::OkStatus();
  }

  absl::Status Group(int64_t count, EvaluationJournal& journal) {
    std::vector<Subject> subjects;
    for (int64_t i = 0; i < count; ++i) {
      IP2P_ASSIGN_OR_RETURN(Subject subject, Read(progress_.samples + i));
      subjects.push_back(std::move(subject));
    }
    IP2P_ASSIGN_OR_RETURN(std::vector<Image> edits, EditAll(subjects));
    size_t next = 0;
    for (Subject& subject : subjects) {
      if (subject.record.fault.empty()) {
        const std::span<const Image> own = std::span(edits).subspan(next, guidances_.size());
        next += guidances_.size();
        IP2P_RETURN_IF_ERROR(Judge(subject, own));
        if (options_.save_images) IP2P_RETURN_IF_ERROR(SaveImages(subject, own));
      } else {
        ++progress_.left_out;
        progress_.all_steps -= StepsOfSample();
        listener_.OnLeftOut(subject.record);
      }
      IP2P_RETURN_IF_ERROR(journal.Append(subject.record));
      records_.push_back(std::move(subject.record));
      ++progress_.samples;
    }
    return absl::OkStatus();
  }

  // Sample number `sample`: which example, which of its pairs and which noise follow from the seed.
  absl::StatusOr<Subject> Read(int64_t sample) const {
    Subject subject;
    SampleRecord& record = subject.record;
    const auto place = static_cast<uint64_t>(sample);
    record.sample = sample;
    record.example = order_.At(sample);
    const auto choices = static_cast<uint64_t>(task_.examples.choices(record.example));
    record.choice = static_cast<int64_t>(MixSeed(options_.seed, place, kChoice) % choices);
    record.seed = static_cast<uint32_t>(MixSeed(options_.seed, place, kNoise));
    absl::StatusOr<Example> example = ReadExample(record);
    if (IsDamage(example.status())) {
      record.fault = std::string(example.status().message());
      return subject;
    }
    IP2P_RETURN_IF_ERROR(example.status());
    subject.edit = {.before = std::move(example->before),
                    .target = std::move(example->after),
                    .caption = std::move(example->caption),
                    .output = std::move(example->output)};
    subject.instruction = std::move(example->text);
    return subject;
  }

  absl::StatusOr<Example> ReadExample(const SampleRecord& record) const {
    IP2P_ASSIGN_OR_RETURN(const RawExample raw,
                          task_.examples.Get(record.example, static_cast<uint64_t>(record.choice)));
    const int side = options_.resolution;
    const AugmentConfig whole{.crop = side, .min_resize = side, .max_resize = side, .flip = false};
    IP2P_ASSIGN_OR_RETURN(Example example, AugmentAs(raw, whole, /*mirrored=*/false));
    // The instruction is the only part of an edit that comes from the dataset.
    IP2P_RETURN_IF_ERROR(ValidateEdit(ParamsOf(record, example.text, guidances_.front()), example.before));
    return example;
  }

  EditParams ParamsOf(const SampleRecord& record, const std::string& instruction,
                      const Guidance& guidance) const {
    return {.instruction = instruction,
            .steps = options_.steps,
            .resolution = options_.resolution,
            .cfg_text = guidance.text,
            .cfg_image = guidance.image,
            .seed = record.seed};
  }

  // Sample by sample, in the order of the guidances.
  absl::StatusOr<std::vector<Image>> EditAll(const std::vector<Subject>& subjects) {
    const int64_t before = progress_.steps;
    PendingEdits pending(engine_);
    size_t count = 0;
    for (const Subject& subject : subjects) {
      if (!subject.record.fault.empty()) continue;
      for (const Guidance& guidance : guidances_) {
        IP2P_RETURN_IF_ERROR(
            pending.Add(subject.edit.before, ParamsOf(subject.record, subject.instruction, guidance)));
        ++count;
      }
    }
    while (pending.NextStep().has_value()) {
      ++progress_.steps;
      IP2P_RETURN_IF_ERROR(listener_.OnProgress(progress_));
    }
    // An edit without an instruction has no steps.
    progress_.steps = before + static_cast<int64_t>(count) * options_.steps;
    std::vector<Image> edits;
    for (size_t i = 0; i < count; ++i) {
      absl::StatusOr<EditResult> result = pending.Take(i);
      if (!result.ok()) return Located(result.status(), i);
      edits.push_back(std::move(result->outputs.at(0).image));
    }
    return edits;
  }

  // Of edit number `edit` of the group.
  absl::Status Located(const absl::Status& fault, size_t edit) const {
    const Guidance& guidance = guidances_[edit % guidances_.size()];
    return absl::Status(
        fault.code(),
        absl::StrFormat("an edit from sample %d on, at text guidance %g and image guidance %g: %s",
                        progress_.samples, guidance.text, guidance.image, fault.message()));
  }

  absl::Status Judge(Subject& subject, std::span<const Image> edits) {
    IP2P_ASSIGN_OR_RETURN(const std::vector<EditScores> scores, scorer_.Score(subject.edit, edits));
    for (size_t i = 0; i < edits.size(); ++i) {
      IP2P_ASSIGN_OR_RETURN(const Figures figures, FiguresOf(scores.at(i), edits[i], subject.edit.target));
      subject.record.edits.push_back({.guidance = guidances_[i], .figures = figures});
    }
    return absl::OkStatus();
  }

  absl::Status SaveImages(const Subject& subject, std::span<const Image> edits) const {
    const auto save = [&](const std::string& name, const Image& image) -> absl::Status {
      IP2P_ASSIGN_OR_RETURN(const std::string bytes, EncodeImage(image));
      return WriteFileAtomically(
          absl::StrFormat("%s/images/%06d-%s.png", task_.folder, subject.record.sample, name), bytes);
    };
    IP2P_RETURN_IF_ERROR(save("input", subject.edit.before));
    IP2P_RETURN_IF_ERROR(save("target", subject.edit.target));
    for (size_t i = 0; i < edits.size(); ++i)
      IP2P_RETURN_IF_ERROR(
          save(absl::StrFormat("t%g-i%g", guidances_[i].text, guidances_[i].image), edits[i]));
    return absl::OkStatus();
  }

  const EvaluationTask& task_;
  const EvaluationOptions& options_;
  const std::vector<Guidance> guidances_;
  const Permutation order_;
  EditEngine& engine_;
  EditScorer& scorer_;
  EvaluationListener& listener_;

  std::vector<SampleRecord> records_;
  EvaluationProgress progress_;
};

}  // namespace

absl::StatusOr<std::vector<SampleRecord>> Evaluate(const EvaluationTask& task, EditEngine& engine,
                                                   EditScorer& scorer, EvaluationListener& listener) {
  return Evaluation(task, engine, scorer, listener).Run();
}

}  // namespace ip2p
