// An edit as the client sees it, and the two places where it can happen: in this process or on a server.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/checkpoint/model_source.h"
#include "common/image/encode.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/edit_types.h"
#include "services/cli/cancellation.h"
#include "services/cli/channel.h"
#include "services/cli/torch_verbs.h"

namespace ip2p {

struct EditTask {
  std::string photo;     // encoded: JPEG, PNG or WebP
  std::string mask;      // the same; empty: none
  EditParams params;     // with a seed
  EncodeOptions output;  // `parameters` is filled in where the edit happens
  bool embed_parameters = true;
  absl::Duration timeout = absl::InfiniteDuration();
};

struct EditedFile {
  std::string bytes;  // encoded as the task asks
  uint32_t seed = 0;
  int width = 0;
  int height = 0;
  std::string mask;  // that auto_mask found, PNG
};

struct EditAnswer {
  std::vector<EditedFile> files;
  int resolution = 0;  // as used: the model's own where the task names none
  bool instruction_truncated = false;
  bool negative_truncated = false;
  std::string model;
};

// Hears of the edit on the thread that called.
class EditListener {
 public:
  virtual ~EditListener() = default;
  virtual void OnLoading() {}
  // Edits before this one; the time until the result, zero when unknown.
  virtual void OnAccepted(int /*position*/, absl::Duration /*estimate*/) {}
  virtual void OnStep(int /*output*/, int /*step*/) {}
  virtual void OnPreview(int /*output*/, int /*step*/, const std::string& /*png*/) {}
};

struct LocalModel {
  std::string path;
  ModelOpenOptions open;
  EngineOptions engine;
};

// Loads the model, edits, encodes. An empty instruction needs neither torch nor a model. Errors: those of
// DecodeImage, OpenModel and EditEngine; CANCELLED after Ctrl-C.
absl::StatusOr<EditAnswer> EditLocally(const TorchVerbs* torch, const LocalModel& model, const EditTask& task,
                                       EditListener& listener, Cancellation& cancellation);

// StreamEdit. Errors: those of EditService; UNAVAILABLE; CANCELLED after Ctrl-C.
absl::StatusOr<EditAnswer> EditRemotely(const ServerFlags& server, const std::string& model,
                                        const EditTask& task, EditListener& listener,
                                        Cancellation& cancellation);

}  // namespace ip2p
