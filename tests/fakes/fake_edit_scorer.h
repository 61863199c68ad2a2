// A scorer without a CLIP: figures are plain sums over pixels and texts, so that a test can say what they
// must be. Counts what it was asked.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "common/pipeline/edit_scorer.h"

namespace ip2p {

class FakeEditScorer final : public EditScorer {
 public:
  // 1 for equal pictures, 0 for black and white.
  static double Likeness(const Image& a, const Image& b) {
    double sum = 0;
    for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
    return 1 - sum / (255.0 * static_cast<double>(a.pixels.size()));
  }
  static double Direction(const Image& before, const Image& edit) { return 1 - Likeness(before, edit); }

  absl::StatusOr<std::vector<EditScores>> Score(const EditSubject& subject,
                                                std::span<const Image> edits) override {
    if (!failure_.ok()) return failure_;
    subjects_.push_back(subject);
    std::vector<EditScores> scores;
    for (const Image& edit : edits) {
      EditScores& score = scores.emplace_back(EditScores{.clip_image = Likeness(subject.before, edit)});
      if (!subject.target.pixels.empty()) score.clip_i = Likeness(subject.target, edit);
      if (!subject.caption.empty()) score.clip_caption = 1.0 / static_cast<double>(subject.caption.size());
      if (!subject.output.empty()) score.clip_t = 1.0 / static_cast<double>(subject.output.size());
      if (score.clip_caption && score.clip_t) score.clip_direction = Direction(subject.before, edit);
    }
    return scores;
  }

  void FailWith(absl::Status failure) { failure_ = std::move(failure); }
  const std::vector<EditSubject>& subjects() const { return subjects_; }

 private:
  absl::Status failure_;
  std::vector<EditSubject> subjects_;
};

}  // namespace ip2p
