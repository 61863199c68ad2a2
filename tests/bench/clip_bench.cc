// Times what CLIP adds to a pair, and prints it as one JSON line:
//   clip_bench CLIP PRECISION SIZE PAIRS [MODEL]
// SIZE: side of the pictures in px. Seconds: load, pair (two images; medians), texts (two captions),
// fingerprint (of CLIP, and of MODEL where one is given). tests/bench/clip.py compares with transformers.
#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/model/fingerprint.h"
#include "common/pipeline/clip_scorer.h"

namespace ip2p {
namespace {

template <typename Work>
double Seconds(Work&& work) {
  const absl::Time start = absl::Now();
  work();
  return absl::ToDoubleSeconds(absl::Now() - start);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

absl::Status Run(const std::vector<std::string>& args) {
  nlohmann::json report;
  IP2P_ASSIGN_OR_RETURN(const ClipSource source, OpenClip(args[0]));
  absl::StatusOr<std::unique_ptr<ClipScorer>> scorer;
  const auto type = args[1] == "bf16" ? torch::kBFloat16 : torch::kFloat32;
  report["load"] = Seconds([&] { scorer = ClipScorer::Create(source, torch::kCPU, type); });
  IP2P_RETURN_IF_ERROR(scorer.status());
  const int64_t side = std::stoi(args[2]);
  std::vector<double> pairs, texts;
  for (int i = 0; i < std::stoi(args[3]) + 1; ++i) {
    const torch::Tensor images = torch::rand({2, 3, side, side});
    pairs.push_back(Seconds([&] { (*scorer)->Images(images); }));
    texts.push_back(Seconds([&] { (*scorer)->Texts({"a hill", "a hill in winter"}); }));
  }
  report["first_pair"] = pairs.front();  // reads the weights' pages
  pairs.erase(pairs.begin());
  report["pair"] = Median(pairs);
  report["texts"] = Median(texts);
  Fingerprint fingerprint;
  report["fingerprint_clip"] = Seconds([&] { fingerprint.Add(source); });
  if (args.size() > 4) {
    IP2P_ASSIGN_OR_RETURN(const ModelSource model, OpenModel(args[4]));
    report["fingerprint_model"] = Seconds([&] { fingerprint.Add(model); });
  }
  std::cout << report.dump() << std::endl;
  return absl::OkStatus();
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 4) {
    std::cerr << "usage: clip_bench CLIP fp32|bf16 SIZE PAIRS [MODEL]\n";
    return 1;
  }
  at::set_num_threads(2);
  const absl::Status status = ip2p::Run(args);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
