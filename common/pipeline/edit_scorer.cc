// See edit_scorer.h.
#include "common/pipeline/edit_scorer.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/pipeline/catch_torch.h"
#include "common/pipeline/clip_scorer.h"
#include "common/pipeline/image_tensor.h"
#include "common/pipeline/torch_options.h"

namespace ip2p {
namespace {

// cuDNN's convolutions without TF32 while it lives, which moves the scores of small models by 0.002. The flag
// is the process's, and training beside it keeps its own.
class FullFloat32 {
 public:
  FullFloat32() : before_(at::globalContext().allowTF32CuDNN()) {
    at::globalContext().setAllowTF32CuDNN(false);
  }
  ~FullFloat32() { at::globalContext().setAllowTF32CuDNN(before_); }
  FullFloat32(const FullFloat32&) = delete;
  FullFloat32& operator=(const FullFloat32&) = delete;

 private:
  const bool before_;
};

class Scorer final : public EditScorer {
 public:
  Scorer(std::unique_ptr<ClipScorer> clip, ClipInput input) : clip_(std::move(clip)), input_(input) {}

  absl::StatusOr<std::vector<EditScores>> Score(const EditSubject& subject,
                                                std::span<const Image> edits) override {
    return CatchTorch("scoring an edit", [&]() -> absl::StatusOr<std::vector<EditScores>> {
      const torch::NoGradGuard no_grad;
      const FullFloat32 exact;
      const torch::Tensor before = Picture(subject.before), caption = Text(subject.caption),
                          output = Text(subject.output);
      const torch::Tensor target = subject.target.pixels.empty() ? torch::Tensor() : Picture(subject.target);
      std::vector<EditScores> scores;
      for (const Image& edit : edits) {
        const torch::Tensor made = Picture(edit);
        EditScores& score = scores.emplace_back(EditScores{.clip_image = Cosine(before, made)});
        if (caption.defined()) score.clip_caption = Cosine(before, caption);
        if (output.defined()) score.clip_t = Cosine(made, output);
        if (target.defined()) score.clip_i = Cosine(made, target);
        if (caption.defined() && output.defined())
          score.clip_direction = Cosine(made - before, output - caption);
      }
      return scores;
    });
  }

 private:
  torch::Tensor Picture(const Image& image) {
    torch::Tensor shown = ImageToTensor(image, torch::kCPU);  // -1..1
    if (input_ == ClipInput::kStandard) shown = (shown + 1) / 2;
    return clip_->Images(shown)[0];
  }
  torch::Tensor Text(const std::string& text) {
    return text.empty() ? torch::Tensor() : clip_->Texts({text})[0];
  }

  const std::unique_ptr<ClipScorer> clip_;
  const ClipInput input_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EditScorer>> EditScorer::Create(const ClipSource& clip,
                                                               const std::string& device, ClipInput input) {
  IP2P_ASSIGN_OR_RETURN(const torch::Device parsed, ParseDevice(device));
  IP2P_ASSIGN_OR_RETURN(std::unique_ptr<ClipScorer> scorer, ClipScorer::Create(clip, parsed));
  return std::make_unique<Scorer>(std::move(scorer), input);
}

}  // namespace ip2p
