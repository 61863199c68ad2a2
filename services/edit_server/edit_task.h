// The words of this server between the wire and the engine: a task comes in, an answer goes out, a listener
// hears.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/image/encode.h"
#include "common/pipeline/edit_types.h"

namespace ip2p::edit_server {

// A request whose fields were checked; its photo is still encoded.
struct EditTask {
  std::string photo;  // JPEG, PNG or WebP by its first bytes
  std::string mask;   // the same; empty: none
  EditParams params;  // with a seed
  std::string model;  // empty: the first
  EncodeOptions output;
  bool embed_parameters = true;
  std::string request_id;
  bool named = false;        // the caller chose request_id: the answer is remembered under it
  uint64_t fingerprint = 0;  // of a named request's content
  std::string caller;        // for quotas; a request_id belongs to its caller
};

struct EditAnswer {
  struct Output {
    std::string file;  // encoded
    ImageFormat format = ImageFormat::kPng;
    int width = 0;   // px
    int height = 0;  // px
    uint32_t seed = 0;
    std::string mask;  // PNG of the photo's size; empty: none was found
  };
  std::vector<Output> outputs;
  EditParams params;  // as used
  std::string model;
  bool instruction_truncated = false;
  bool negative_truncated = false;
  std::string request_id;
  absl::Duration queue_time;
  absl::Duration run_time;

  size_t bytes() const {
    size_t sum = 0;
    for (const Output& output : outputs) sum += output.file.size() + output.mask.size();
    return sum;
  }
};

// What is known when an edit is admitted.
struct EditAdmission {
  std::string request_id;
  int position = 0;         // edits of this model before it
  absl::Duration estimate;  // until the answer; zero: not known yet
  EditParams params;
};

// One who waits for an edit. Called from several threads, but never by two at a time: OnAccepted once and
// first, OnFinished once and last. Must not block and must not call back into the queue.
class EditListener {
 public:
  virtual ~EditListener() = default;
  virtual void OnAccepted(const EditAdmission& admission) = 0;
  virtual void OnProgress(const EditProgress& progress) = 0;
  virtual void OnFinished(const absl::StatusOr<std::shared_ptr<const EditAnswer>>& answer, bool replayed) = 0;
};

}  // namespace ip2p::edit_server
