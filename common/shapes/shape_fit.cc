#include "common/shapes/shape_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "common/shapes/outline.h"

namespace ip2p::shapes {
namespace {

constexpr int kAround = 4;          // pixels looked at beyond the piece
constexpr int kMostSamples = 1800;  // of one piece; a large one is sampled more coarsely
constexpr double kUnlikely = 0.16;  // a shape that starts this far behind is not refined

struct Sample {
  float x;
  float y;
  float share;  // of the pixel, that belongs to the piece
};

struct Samples {
  std::vector<Sample> list;
  double pixels_each = 1;  // that one stands for
};

struct Box {
  int left, top, right, bottom;  // inclusive
};

Box BoxOf(const Segment& segment, const PixelPlanes& picture) {
  Box box{picture.width, picture.height, 0, 0};
  for (const int at : segment.pixels) {
    const int x = at % picture.width, y = at / picture.width;
    box = {std::min(box.left, x), std::min(box.top, y), std::max(box.right, x), std::max(box.bottom, y)};
  }
  return {std::max(box.left - kAround, 0), std::max(box.top - kAround, 0),
          std::min(box.right + kAround, picture.width - 1),
          std::min(box.bottom + kAround, picture.height - 1)};
}

Samples SamplesOf(const PixelPlanes& picture, const BackdropFit& backdrop, const Segments& segments,
                  int which) {
  const Segment& segment = segments.found[static_cast<size_t>(which)];
  const Box box = BoxOf(segment, picture);
  const int pixels = (box.right - box.left + 1) * (box.bottom - box.top + 1);
  int step = 1;
  while (pixels / (step * step) > kMostSamples) ++step;
  Samples samples{.pixels_each = static_cast<double>(step * step)};
  for (int y = box.top; y <= box.bottom; y += step) {
    for (int x = box.left; x <= box.right; x += step) {
      const size_t at = static_cast<size_t>(y) * picture.width + x;
      const int owner = segments.owner[at];
      if (owner >= 0 && owner != which) continue;  // another piece hides what is there
      const float share = ShareOnTheWay(picture.rgb[at], backdrop.rgb[at], segment.rgb);
      samples.list.push_back({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F, share});
    }
  }
  return samples;
}

struct Pose {
  double x = 0;
  double y = 0;
  double radius = 1;
};

double Overlap(const Samples& samples, Shape shape, const Pose& pose, double softness) {
  double shared = 0, either = 0;
  const double per_pixel = 1 / pose.radius;
  const double steepness = pose.radius / (2 * softness);
  for (const Sample& sample : samples.list) {
    const double distance =
        OutlineDistanceFast(shape, (sample.x - pose.x) * per_pixel, (sample.y - pose.y) * per_pixel);
    const double share = std::clamp(0.5 - distance * steepness, 0.0, 1.0);
    shared += std::min<double>(share, sample.share);
    either += std::max<double>(share, sample.share);
  }
  return either > 0 ? shared / either : 0;
}

// Area and centre of mass of the samples give the pose that each shape would have.
struct Mass {
  double area = 0;
  double x = 0;
  double y = 0;
};

Mass MassOf(const Samples& samples) {
  Mass mass;
  for (const Sample& sample : samples.list) {
    mass.area += sample.share;
    mass.x += sample.share * sample.x;
    mass.y += sample.share * sample.y;
  }
  mass.x /= mass.area;
  mass.y /= mass.area;
  mass.area *= samples.pixels_each;
  return mass;
}

struct Candidate {
  Shape shape = Shape::kCircle;
  Pose pose;
  double overlap = 0;
};

// Pattern search: a step along each axis, kept when better; halved when none is.
void Refine(const Samples& samples, double softness, Candidate& candidate) {
  for (double step = 0.08; step > 0.008; step /= 2) {
    for (int round = 0; round < 3; ++round) {
      const double before = candidate.overlap;
      for (const auto& [dx, dy, growth] : {std::array{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}}) {
        for (const double sign : {step, -step}) {
          Pose pose = candidate.pose;
          pose.x += sign * dx * candidate.pose.radius;
          pose.y += sign * dy * candidate.pose.radius;
          pose.radius *= 1 + sign * growth;
          const double overlap = Overlap(samples, candidate.shape, pose, softness);
          if (overlap <= candidate.overlap) continue;
          candidate.pose = pose;
          candidate.overlap = overlap;
          break;
        }
      }
      if (candidate.overlap == before) break;
    }
  }
}

}  // namespace

ShapeFit FitShape(const PixelPlanes& picture, const BackdropFit& backdrop, const Segments& segments,
                  int which) {
  const Samples samples = SamplesOf(picture, backdrop, segments, which);
  const Mass mass = MassOf(samples);
  std::array<Candidate, kShapes> candidates;
  double softness = 1;
  double best = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const auto shape = static_cast<Shape>(i);
    const OutlineMoments& moments = MomentsOf(shape);
    const double radius = std::sqrt(mass.area / moments.area);
    candidates[i] = {.shape = shape,
                     .pose = {mass.x - radius * moments.x, mass.y - radius * moments.y, radius}};
    // The picture's own blur is unknown: of a few, the one that suits the best shape.
    for (const double trial : {0.8, 1.5, 2.6}) {
      const double overlap = Overlap(samples, shape, candidates[i].pose, trial);
      candidates[i].overlap = std::max(candidates[i].overlap, overlap);
      if (overlap > best) {
        best = overlap;
        softness = trial;
      }
    }
  }
  for (Candidate& candidate : candidates) {
    if (candidate.overlap > best - kUnlikely) {
      candidate.overlap = Overlap(samples, candidate.shape, candidate.pose, softness);
      Refine(samples, softness, candidate);
    }
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& one, const Candidate& other) { return one.overlap > other.overlap; });
  const Candidate& first = candidates[0];
  const OutlineMoments& moments = MomentsOf(first.shape);
  return {.shape = first.shape,
          .x = first.pose.x,
          .y = first.pose.y,
          .radius = first.pose.radius,
          .overlap = first.overlap,
          .lead = first.overlap - candidates[1].overlap,
          .off = (1 - first.overlap) * first.pose.radius * moments.area / moments.length};
}

}  // namespace ip2p::shapes
