// Runs one edit of a synthetic photo through the engine and prints what each stage took, as one JSON line:
//   edit_bench MODEL PRECISION WIDTH HEIGHT STEPS
// Seconds are medians over steps; peak_rss_mb is the whole process's. tests/bench/run.py compares with
// diffusers.
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <iostream>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "common/base/json.h"
#include "common/checkpoint/model_source.h"
#include "common/pipeline/edit_engine.h"

namespace ip2p {
namespace {

class Recorder : public EngineObserver {
 public:
  void OnStage(const char* stage, absl::Duration took) override {
    stages[stage].push_back(absl::ToDoubleSeconds(took));
  }
  double Median(const std::string& stage) {
    std::vector<double>& times = stages[stage];
    std::sort(times.begin(), times.end());
    return times.empty() ? 0 : times[times.size() / 2];
  }
  std::map<std::string, std::vector<double>> stages;
};

Image SyntheticPhoto(int width, int height) {
  Image image{.width = width, .height = height, .pixels = std::vector<uint8_t>(size_t{3} * width * height)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = &image.pixels[size_t{3} * (static_cast<size_t>(y) * width + x)];
      pixel[0] = static_cast<uint8_t>(255 * x / width);
      pixel[1] = static_cast<uint8_t>(255 * y / height);
      pixel[2] = static_cast<uint8_t>((x ^ y) & 255);
    }
  }
  return image;
}

int Run(int argc, char** argv) {
  if (argc < 6) {
    std::cerr << "usage: edit_bench MODEL PRECISION WIDTH HEIGHT STEPS\n";
    return 2;
  }
  absl::StatusOr<Precision> precision = ParsePrecision(argv[2]);
  absl::StatusOr<ModelSource> source = OpenModel(argv[1]);
  if (!source.ok() || !precision.ok()) {
    std::cerr << source.status() << " " << precision.status() << "\n";
    return 1;
  }
  Recorder recorder;
  absl::StatusOr<std::unique_ptr<EditEngine>> engine =
      EditEngine::Create(*source, {.precision = *precision}, &recorder);
  if (!engine.ok()) {
    std::cerr << engine.status() << "\n";
    return 1;
  }
  source = absl::CancelledError("the engine holds what it needs");

  const int width = std::atoi(argv[3]);
  const int height = std::atoi(argv[4]);
  EditParams params{.instruction = "turn it into a watercolour painting",
                    .steps = std::atoi(argv[5]),
                    .resolution = std::max(width, height),
                    .seed = 1};
  // Two edits: the first warms up (page faults, kernel choice) and is not counted, as the peer's isn't.
  nlohmann::json report;
  for (int round = 0; round < 2; ++round) {
    recorder.stages.clear();
    std::promise<absl::Status> done;
    absl::Status submitted =
        (*engine)
            ->Submit(
                SyntheticPhoto(width, height), params, absl::InfiniteFuture(),
                {.done = [&done](absl::StatusOr<EditResult> result) { done.set_value(result.status()); }})
            .status();
    if (submitted.ok()) submitted = done.get_future().get();
    if (!submitted.ok()) {
      std::cerr << submitted << "\n";
      return 1;
    }
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    report = {{"text", recorder.Median("text")},         {"encode", recorder.Median("encode")},
              {"step", recorder.Median("denoise")},      {"decode", recorder.Median("decode")},
              {"peak_rss_mb", usage.ru_maxrss / 1024.0}, {"precision", (*engine)->precision_name()}};
  }
  std::cout << report.dump() << std::endl;
  return 0;
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) { return ip2p::Run(argc, argv); }
