// Background, pieces that stand out, a shape and a colour for each, and what is left unexplained.
#include "common/shapes/oracle.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/shapes/backdrop_fit.h"
#include "common/shapes/outline.h"
#include "common/shapes/palette.h"
#include "common/shapes/pixel_planes.h"
#include "common/shapes/segments.h"
#include "common/shapes/shape_fit.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

constexpr size_t kMostObjects = 5;  // looked at; two are a scene

// 0 at `none` and beyond, 1 at `full` and beyond; either may be the larger.
double Ramp(double value, double none, double full) {
  return std::clamp((value - none) / (full - none), 0.0, 1.0);
}

void NameColor(const Lab& lab, SeenObject& object) {
  float first = 1e9F, second = 1e9F;
  for (int color = 0; color < kColors; ++color) {
    const float distance = Difference(lab, LabOf(RgbOf(static_cast<Color>(color))));
    if (distance < first) {
      second = std::exchange(first, distance);
      object.color = static_cast<Color>(color);
    } else {
      second = std::min(second, distance);
    }
  }
  object.color_confidence = Ramp(first, 45, 18) * Ramp((second - first) / (second + first), 0, 0.22);
}

// A small or thin piece overlaps less when it is blurred, though its edge is hardly off.
double ShapeConfidence(const ShapeFit& fit) {
  return std::max(Ramp(fit.overlap, 0.74, 0.9), Ramp(fit.off, 0.9, 0.45)) * Ramp(fit.lead, 0, 0.035);
}

// Pixels that stand out and lie in no shape, those beside an edge left out.
double Unexplained(const PixelPlanes& picture, const Segments& segments, const std::vector<ShapeFit>& fits,
                   Background background) {
  constexpr double kBeside = 3;  // pixels
  int left = 0;
  for (size_t at = 0; at < segments.owner.size(); ++at) {
    const int owner = segments.owner[at];
    if (owner == Segments::kNobody) continue;
    // Stars are no objects.
    if (owner == Segments::kSpeck && background == Background::kNight) continue;
    const double x = static_cast<double>(at % static_cast<size_t>(picture.width)) + 0.5;
    const double y = static_cast<double>(at / static_cast<size_t>(picture.width)) + 0.5;
    const auto explains = [x, y](const ShapeFit& fit) {
      return fit.radius * OutlineDistance(fit.shape, (x - fit.x) / fit.radius, (y - fit.y) / fit.radius) <
             kBeside;
    };
    if (std::none_of(fits.begin(), fits.end(), explains)) ++left;
  }
  return static_cast<double>(left) / static_cast<double>(segments.owner.size());
}

// The share of the background proper that is as it is drawn.
double BackgroundConfidence(const BackdropFit& backdrop, const Segments& segments) {
  double objects = 0;
  for (const Segment& segment : segments.found) objects += static_cast<double>(segment.pixels.size());
  const double free = 1 - objects / static_cast<double>(segments.owner.size());
  return Ramp(free, 0.3, 0.5) * Ramp(backdrop.near / std::max(free, 0.01), 0.72, 0.92) *
         Ramp(backdrop.lead, 0, 0.12) * Ramp(backdrop.offset, 19, 11);
}

std::string Doubt(const SceneReading& reading, size_t pieces) {
  if (reading.background_confidence < kSeen) {
    return absl::StrFormat("the background is none of the eight (nearest: %s)",
                           std::string(Word(reading.background)));
  }
  if (reading.objects.empty()) return "no object is there";
  if (pieces > 2) return absl::StrCat(pieces, " objects are there; wants one or two");
  for (const SeenObject& object : reading.objects) {
    if (object.shape_confidence < kSeen) {
      return absl::StrFormat("an object at %.0f,%.0f has none of the eight shapes (nearest: %s)", object.x,
                             object.y, std::string(Word(object.shape)));
    }
    if (object.color_confidence < kSeen) {
      return absl::StrFormat("an object at %.0f,%.0f has none of the ten colours (nearest: %s)", object.x,
                             object.y, std::string(Word(object.color)));
    }
  }
  return absl::StrFormat("%.1f %% of the picture is neither background nor a shape",
                         100 * reading.unexplained);
}

}  // namespace

SceneReading ReadScene(const Image& image) {
  SceneReading reading{.width = image.width, .height = image.height};
  if (std::min(image.width, image.height) < kLeastSide) {
    reading.doubt = absl::StrCat("the picture is ", image.width, "x", image.height, "; wants at least ",
                                 kLeastSide, " px a side");
    return reading;
  }
  const PixelPlanes picture = MakePlanes(image);
  const BackdropFit backdrop = FitBackdrop(picture);
  const Segments segments = FindSegments(picture, backdrop);
  reading.background = backdrop.background;
  reading.background_confidence = BackgroundConfidence(backdrop, segments);
  reading.confidence = reading.background_confidence;
  std::vector<ShapeFit> fits;
  for (size_t i = 0; i < std::min(segments.found.size(), kMostObjects); ++i) {
    const ShapeFit fit = FitShape(picture, backdrop, segments, static_cast<int>(i));
    fits.push_back(fit);
    SeenObject object{.shape = fit.shape,
                      .x = fit.x * picture.scale,
                      .y = fit.y * picture.scale,
                      .radius = fit.radius * picture.scale};
    object.shape_confidence = ShapeConfidence(fit);
    NameColor(segments.found[i].lab, object);
    reading.confidence = std::min(reading.confidence, object.confidence());
    reading.objects.push_back(object);
  }
  reading.unexplained = Unexplained(picture, segments, fits, reading.background);
  reading.confidence *= Ramp(reading.unexplained, 0.03, 0.006);
  if (segments.found.empty() || segments.found.size() > 2) reading.confidence = 0;
  if (!reading.seen()) reading.doubt = Doubt(reading, segments.found.size());
  return reading;
}

}  // namespace ip2p::shapes
