// Makes pairs as a JSON order says, for the parity tests and the benchmark:
//
//   pair_probe ORDER.json OUT_DIR
//
// ORDER: {checkpoint, vae, clip, safety_checker, device, precision, batch, share_maps, threads, caption,
// output, photo (a file), photo_shows (before, after), seeds, steps, common_steps, resolution, min_p2p,
// max_p2p, min_cfg, max_cfg, clip_threshold, rounds}; what is left out keeps its default. Writes
// OUT_DIR/SEED_0.png and SEED_1.png and prints one JSON line: samples (seed, p2p_threshold, cfg_scale,
// finite, unsafe, scores), seconds (of each round: whole, and of every step), peak_rss_mb (after each round).
// Exit code 1 and a message on any failure.
#include <sys/resource.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/pipeline/pair_sampler.h"

namespace ip2p {
namespace {

using Json = nlohmann::ordered_json;

double PeakMegabytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

absl::Status WritePng(const Image& image, const std::string& path) {
  IP2P_ASSIGN_OR_RETURN(const std::string png, EncodeImage(image, {.format = ImageFormat::kPng}));
  std::ofstream(path, std::ios::binary) << png;
  return absl::OkStatus();
}

Json Line(const MadeSample& sample) {
  Json line = {{"seed", sample.seed},
               {"p2p_threshold", sample.p2p_threshold},
               {"cfg_scale", sample.cfg_scale},
               {"finite", sample.finite},
               {"unsafe", sample.unsafe}};
  if (sample.scores.has_value()) {
    line["scores"] = {sample.scores->sim_0, sample.scores->sim_1, sample.scores->sim_dir,
                      sample.scores->sim_image};
  }
  return line;
}

// Seconds from each step to the next, of one call of Make.
class StepTimes {
 public:
  StepHook hook() {
    return [this](int, int) {
      const absl::Time now = absl::Now();
      steps_.push_back(absl::ToDoubleSeconds(now - last_));
      last_ = now;
      return absl::OkStatus();
    };
  }
  Json Report() const { return {{"whole", absl::ToDoubleSeconds(absl::Now() - start_)}, {"steps", steps_}}; }

 private:
  const absl::Time start_ = absl::Now();
  absl::Time last_ = start_;
  std::vector<double> steps_;
};

absl::Status Run(const Json& order, const std::string& out) {
  IP2P_ASSIGN_OR_RETURN(const Precision precision, ParsePrecision(order.value("precision", "fp32")));
  IP2P_ASSIGN_OR_RETURN(const auto sampler,
                        PairSampler::Create({.checkpoint = order.value("checkpoint", ""),
                                             .vae_checkpoint = order.value("vae", ""),
                                             .clip = order.value("clip", ""),
                                             .safety_checker = order.value("safety_checker", "")},
                                            {.device = order.value("device", "cpu"),
                                             .precision = precision,
                                             .threads = order.value("threads", 0),
                                             .batch = order.value("batch", 0),
                                             .share_maps = order.value("share_maps", true)}));
  PairParams params;
  params.steps = order.value("steps", params.steps);
  params.common_steps = order.value("common_steps", params.common_steps);
  params.resolution = order.value("resolution", params.resolution);
  params.min_p2p = order.value("min_p2p", params.min_p2p);
  params.max_p2p = order.value("max_p2p", params.max_p2p);
  params.min_cfg = order.value("min_cfg", params.min_cfg);
  params.max_cfg = order.value("max_cfg", params.max_cfg);
  const double threshold = order.value("clip_threshold", 0.0);
  params.thresholds = {.clip = threshold, .dir = threshold, .img = threshold};
  PairPrompt prompt{.caption = order.value("caption", ""), .output = order.value("output", "")};
  if (const std::string photo = order.value("photo", ""); !photo.empty()) {
    std::ifstream file(photo, std::ios::binary);
    IP2P_ASSIGN_OR_RETURN(DecodedImage decoded,
                          DecodeImage(std::string(std::istreambuf_iterator<char>(file), {})));
    prompt.photo = std::move(decoded.image);
    if (order.value("photo_shows", "before") == "after") prompt.photo_side = PhotoSide::kAfter;
  }
  const auto seeds = order.value("seeds", std::vector<uint64_t>());
  const size_t batch = sampler->BatchSize(params.resolution);

  Json report = {{"batch", batch}, {"fingerprint", sampler->fingerprint()}};
  for (int round = 0; round < order.value("rounds", 1); ++round) {
    report["samples"] = Json::array();
    for (size_t done = 0; done < seeds.size(); done += batch) {
      StepTimes times;
      const std::span<const uint64_t> rest = std::span(seeds).subspan(done);
      IP2P_ASSIGN_OR_RETURN(
          const std::vector<MadeSample> made,
          sampler->Make(prompt, params, rest.first(std::min(batch, rest.size())), times.hook()));
      report["seconds"].push_back(times.Report());
      report["peak_rss_mb"].push_back(PeakMegabytes());
      for (const MadeSample& sample : made) {
        report["samples"].push_back(Line(sample));
        if (!sample.finite) continue;
        const std::string path = out + "/" + std::to_string(sample.seed);
        IP2P_RETURN_IF_ERROR(WritePng(sample.before, path + "_0.png"));
        IP2P_RETURN_IF_ERROR(WritePng(sample.after, path + "_1.png"));
      }
    }
  }
  std::cout << report.dump() << std::endl;
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: pair_probe ORDER.json OUT_DIR\n";
    return 1;
  }
  std::ifstream file(argv[1]);
  const Json order = Json::parse(std::string(std::istreambuf_iterator<char>(file), {}), nullptr,
                                 /*allow_exceptions=*/false);
  if (!order.is_object()) {
    std::cerr << "the order is not a JSON object\n";
    return 1;
  }
  const absl::Status status = Run(order, argv[2]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) { return ip2p::Main(argc, argv); }
