// The inside of a sampler: what its coroutine sees (SamplerRun) and what holds it (SamplerTask). Internal to
// this folder.
//
// Written for g++ 12, whose coroutines mishandle temporaries with destructors that live across a suspension:
// awaiters are trivial, and a sampler passes named tensors, never expressions, to Denoise.
#pragma once

#include <torch/types.h>

#include <coroutine>
#include <exception>
#include <utility>
#include <vector>

#include "common/diffusion/sampler.h"

namespace ip2p {

class SamplerRun {
 public:
  struct Evaluation {  // awaited: gives the denoised estimate
    SamplerRun* run;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    torch::Tensor await_resume() const noexcept { return std::move(run->denoised); }
  };

  Evaluation Denoise(const torch::Tensor& at, double at_sigma) {
    x = at;
    sigma = at_sigma;
    return Evaluation{this};
  }
  void FinishStep() { ++step; }

  // Given to the coroutine.
  std::vector<double> sigmas;  // falling, steps + 1 of them; the last may be 0
  double start_scale = 1;      // of the start noise
  double result_scale = 1;     // of the last x
  NoiseDraw noise;
  // Exchanged with the driver.
  torch::Tensor x;
  double sigma = 0;
  torch::Tensor denoised;
  int step = 0;
};

// Owns one suspended sampler.
class SamplerTask {
 public:
  struct Promise {
    torch::Tensor result;
    std::exception_ptr error;

    SamplerTask get_return_object() {
      return SamplerTask(std::coroutine_handle<Promise>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_value(torch::Tensor x) { result = std::move(x); }
    void unhandled_exception() { error = std::current_exception(); }
  };
  using promise_type = Promise;  // the language's name for it

  explicit SamplerTask(std::coroutine_handle<Promise> handle) : handle_(handle) {}
  SamplerTask(SamplerTask&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  SamplerTask& operator=(SamplerTask&&) = delete;
  ~SamplerTask() {
    if (handle_) handle_.destroy();
  }

  // Runs to the next evaluation or the end; throws what the sampler threw.
  void Resume() {
    handle_.resume();
    if (handle_.promise().error) std::rethrow_exception(std::exchange(handle_.promise().error, nullptr));
  }
  bool done() const { return handle_.done(); }
  const torch::Tensor& result() const { return handle_.promise().result; }

 private:
  std::coroutine_handle<Promise> handle_;
};

// The samplers. `run` outlives the task.
SamplerTask SampleEulerAncestral(SamplerRun* run);
SamplerTask SampleEuler(SamplerRun* run);
SamplerTask SampleHeun(SamplerRun* run);
SamplerTask SampleDpm2Ancestral(SamplerRun* run);
SamplerTask SampleDpmpp2SAncestral(SamplerRun* run);
SamplerTask SampleDpmpp2M(SamplerRun* run);
SamplerTask SampleDpmpp2MSde(SamplerRun* run);
SamplerTask SampleLms(SamplerRun* run);
SamplerTask SampleUniPc(SamplerRun* run);

}  // namespace ip2p
