// An engine that answers at once, on the caller's thread: an edit is the photo, darker the more the text
// guidance outweighs the image guidance. Keeps what it was asked.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/pipeline/edit_engine.h"

namespace ip2p {

class ScriptedEngine final : public EditEngine {
 public:
  static Image Edited(const Image& photo, double text, double image) {
    Image edit = photo;
    for (uint8_t& value : edit.pixels) value = static_cast<uint8_t>(value * image / (text + image));
    return edit;
  }

  absl::StatusOr<EditId> Submit(Image input, EditParams params, absl::Time,
                                EditCallbacks callbacks) override {
    if (absl::Status valid = ValidateEdit(params, input); !valid.ok()) return valid;
    asked_.push_back(params);
    if (const absl::Status fault = script_ ? script_(asked_.size(), params) : absl::OkStatus(); !fault.ok()) {
      callbacks.done(fault);
      return asked_.size();
    }
    for (int step = 1; step <= params.steps; ++step)
      callbacks.progress({.output = 0, .step = step, .steps = params.steps});
    EditResult result{.params = params};
    result.outputs.push_back({Edited(input, params.cfg_text, params.cfg_image), params.seed});
    callbacks.done(std::move(result));
    return asked_.size();
  }
  void Cancel(EditId) override {}
  int waiting() const override { return 0; }
  int running() const override { return 0; }
  absl::Duration Estimate(const EditParams&) const override { return absl::ZeroDuration(); }
  const ModelConfig& config() const override { return config_; }
  std::string precision_name() const override { return "fp32"; }

  // What becomes of the n-th edit from now on, from 1; OK: it is made.
  void Script(std::function<absl::Status(size_t n, const EditParams&)> script) {
    script_ = std::move(script);
  }
  const std::vector<EditParams>& asked() const { return asked_; }

 private:
  const ModelConfig config_;
  std::function<absl::Status(size_t, const EditParams&)> script_;
  std::vector<EditParams> asked_;
};

}  // namespace ip2p
