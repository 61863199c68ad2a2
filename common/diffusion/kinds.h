// The closed sets of choices a request can make, and their spelling in flags and protos. No torch here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

enum class SamplerKind {
  kEulerA,
  kEuler,
  kHeun,
  kDpm2A,
  kDpmpp2SA,
  kDpmpp2M,
  kDpmpp2MSde,
  kDdim,
  kLms,
  kUniPc
};
enum class SigmaSchedule { kDefault, kKarras, kExponential };
enum class Precision { kAuto, kFloat32, kBFloat16, kFloat16 };

// "euler_a", "dpmpp_2m", ...; "default", "karras", "exponential"; "auto", "fp32", "bf16", "fp16".
const char* SamplerName(SamplerKind kind);
const char* ScheduleName(SigmaSchedule schedule);
const char* PrecisionName(Precision precision);
// INVALID_ARGUMENT: "sampler is \"foo\"; wants one of euler_a, euler, ...".
absl::StatusOr<SamplerKind> ParseSampler(std::string_view name);
absl::StatusOr<SigmaSchedule> ParseSchedule(std::string_view name);
absl::StatusOr<Precision> ParsePrecision(std::string_view name);
std::vector<SamplerKind> AllSamplers();

// Network evaluations of a whole run of `steps` >= 1: one a step, but two a step, except the last, for the
// samplers of second order in one step (heun, dpm2_a, dpmpp_2s_a).
int EvaluationsFor(SamplerKind kind, int steps);

}  // namespace ip2p
