// What a dataset, a training run and edits take, before anything is ordered. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p {

// Defaults: the scale of Brooks et al. (arXiv 2211.09800): 454,445 prompts, up to 100 samples a prompt at 512
// px and 100 steps; 10,000 steps of 1,024 examples at 256 px.
struct PlanInputs {
  int64_t prompts = 454445;
  double calls_per_prompt = 1.5;    // requests of the language model: rejected answers are asked again
  double usd_per_1000_calls = 0.1;  // of a small model: about 150 tokens in and 60 out (list prices of 2026)
  double calls_per_second = 100;    // what the account's limits allow
  int64_t samples_per_prompt = 100;
  int steps = 100;                // of denoising a pair
  int resolution = 512;           // px, a multiple of 64
  double kept_per_prompt = 1;     // pairs that pass the filters; the paper kept 454,445 of as many prompts
  double early_stop_share = 1;    // of the samples that are made with --early-stop; 1: without
  double bytes_per_pair = 400e3;  // both JPEGs at quality 100, 512 px
  double tflops = 120;            // 10^12 operations a second that one GPU sustains on these networks
  double usd_per_gpu_hour = 2;    // rented (2026)
  double partition_hours = 4;     // wanted length of one partition on one GPU
  int64_t train_steps = 10000;
  int train_batch = 1024;
  int train_resolution = 256;
  int64_t edits_per_day = 100000;
};

// All faults listed together, each as "field is found; wants wanted". INVALID_ARGUMENT.
absl::Status ValidatePlan(const PlanInputs& inputs);

// One row of the UNet of Stable Diffusion 1.5, forward, at `resolution` px: TFLOP.
double UNetTeraflops(int resolution);

struct Duration {
  int gpus = 0;
  double days = 0;
};

struct ClusterPlan {
  // Prompts.
  double calls = 0;
  double prompt_usd = 0;
  double prompt_hours = 0;
  // Pairs. A pair's step is four rows; decoding two pictures and CLIP are 5 TFLOP beside it.
  double samples = 0;
  double seconds_per_sample = 0;  // on one GPU
  double pair_gpu_hours = 0;
  double pair_usd = 0;
  int64_t partitions = 0;
  double dataset_bytes = 0;
  std::vector<Duration> pair_days;  // on 1, 10, 100, 1,000 GPUs, whole partitions
  // Training: forward and backward are three forward passes, and encoding two pictures.
  double train_gpu_hours = 0;
  double train_usd = 0;
  double examples_per_second = 0;    // of one GPU
  std::vector<Duration> train_days;  // on 1, 8, 64
  // Edits: three rows a step, and the autoencoder.
  double seconds_per_edit = 0;
  double edit_gpus = 0;  // that carry edits_per_day at 60 % load
  double usd_per_1000_edits = 0;
};

// INVALID_ARGUMENT: ValidatePlan's.
absl::StatusOr<ClusterPlan> PlanCluster(const PlanInputs& inputs);

std::string PlanText(const PlanInputs& inputs, const ClusterPlan& plan);
std::string PlanJson(const PlanInputs& inputs, const ClusterPlan& plan);

}  // namespace ip2p
