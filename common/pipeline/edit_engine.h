// One loaded edit model and the thread that drives it: edits join and leave a shared denoising batch between
// steps.
//
// Each edit keeps its own steps, scales, sampler, seed and noise; edits of one latent size share a UNet
// batch. A batched answer is the solo one, but for last bits where the matrix library sums rows in another
// order beside others: at most 1 level on CPUs, 3 on CUDA in fp16. The engine owns one thread; every callback
// runs on it and must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/checkpoint/model_source.h"
#include "common/pipeline/edit_types.h"

namespace ip2p {

struct EngineOptions {
  std::string device = "cpu";  // "cpu" or "cuda:N"
  Precision precision =
      Precision::kAuto;  // auto: bf16 where the CPU has it in hardware, fp16 on CUDA, else fp32
  int max_batch = 4;     // outputs denoised together (each is three UNet samples)
  int threads = 0;       // intra-op threads; 0: torch's default
};

// What the engine tells about its work; called on the engine's thread, must be cheap.
class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  virtual void OnStage(const char* /*stage*/, absl::Duration /*took*/) {
  }  // "text", "encode", "denoise", "decode"
  virtual void OnStep(int /*batch_size*/, absl::Duration /*took*/) {}  // one UNet evaluation of the batch
};

// Hooks of one edit; only `done` is not optional. It is called exactly once, with CANCELLED or
// DEADLINE_EXCEEDED when the edit was given up, INTERNAL when the model produced NaN.
struct EditCallbacks {
  std::function<void()> started;  // left the queue, joined the batch
  std::function<void(const EditProgress&)> progress;
  std::function<void(absl::StatusOr<EditResult>)> done;
};

class EditEngine {
 public:
  // Loads the weights (seconds, gigabytes) and starts the thread. `observer` must outlive the engine; may be
  // null.
  static absl::StatusOr<std::unique_ptr<EditEngine>> Create(const ModelSource& source,
                                                            const EngineOptions& options,
                                                            EngineObserver* observer = nullptr);
  virtual ~EditEngine() = default;  // gives up what still runs with CANCELLED, then joins the thread

  using EditId = uint64_t;
  // Queues an edit (first in, first out; joins as soon as the batch has room). Never blocks. What a masked
  // edit gives is yet to be passed to KeepTheRest (masked_edit.h), with the photo. Errors: INVALID_ARGUMENT.
  virtual absl::StatusOr<EditId> Submit(Image input, EditParams params, absl::Time deadline,
                                        EditCallbacks callbacks) = 0;
  // The edit leaves before its next step; its `done` gets CANCELLED. Unknown or finished ids are ignored.
  virtual void Cancel(EditId id) = 0;
  // Edits waiting and edits in the batch.
  virtual int waiting() const = 0;
  virtual int running() const = 0;
  // Seconds until an edit of these params submitted now would finish, from measured step times; zero before
  // any.
  virtual absl::Duration Estimate(const EditParams& params) const = 0;
  virtual const ModelConfig& config() const = 0;
  virtual std::string precision_name() const = 0;  // "fp32", "bf16", "fp16"
};

// All faults of a request listed together, each as "field is found; wants wanted". INVALID_ARGUMENT.
absl::Status ValidateEdit(const EditParams& params, const Image& input);

}  // namespace ip2p
