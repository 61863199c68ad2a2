// Closed sets translate by one table each, read in both directions.
#include "services/edit_server/edit_proto.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/image/decode.h"
#include "common/pipeline/edit_engine.h"
#include "common/rpc/duration_proto.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace ip2p::edit_server {
namespace {

using edit::v1::EditRequest;

constexpr std::array<std::pair<SamplerKind, edit::v1::Sampler>, 10> kSamplers = {{
    {SamplerKind::kEulerA, edit::v1::SAMPLER_EULER_A},
    {SamplerKind::kEuler, edit::v1::SAMPLER_EULER},
    {SamplerKind::kHeun, edit::v1::SAMPLER_HEUN},
    {SamplerKind::kDpm2A, edit::v1::SAMPLER_DPM2_A},
    {SamplerKind::kDpmpp2SA, edit::v1::SAMPLER_DPMPP_2S_A},
    {SamplerKind::kDpmpp2M, edit::v1::SAMPLER_DPMPP_2M},
    {SamplerKind::kDpmpp2MSde, edit::v1::SAMPLER_DPMPP_2M_SDE},
    {SamplerKind::kDdim, edit::v1::SAMPLER_DDIM},
    {SamplerKind::kLms, edit::v1::SAMPLER_LMS},
    {SamplerKind::kUniPc, edit::v1::SAMPLER_UNIPC},
}};
constexpr std::array<std::pair<SigmaSchedule, edit::v1::SigmaSchedule>, 3> kSchedules = {{
    {SigmaSchedule::kDefault, edit::v1::SIGMA_SCHEDULE_DEFAULT},
    {SigmaSchedule::kKarras, edit::v1::SIGMA_SCHEDULE_KARRAS},
    {SigmaSchedule::kExponential, edit::v1::SIGMA_SCHEDULE_EXPONENTIAL},
}};
constexpr std::array<std::pair<ImageFormat, image::v1::ImageFormat>, 3> kFormats = {{
    // the default output first
    {ImageFormat::kPng, image::v1::IMAGE_FORMAT_PNG},
    {ImageFormat::kJpeg, image::v1::IMAGE_FORMAT_JPEG},
    {ImageFormat::kWebp, image::v1::IMAGE_FORMAT_WEBP},
}};

template <typename Ours, typename Wire, size_t N>
std::optional<Ours> FromWire(const std::array<std::pair<Ours, Wire>, N>& table, int wire) {
  for (const auto& [ours, theirs] : table) {
    if (theirs == wire) return ours;
  }
  return std::nullopt;
}

template <typename Ours, typename Wire, size_t N>
Wire ToWire(const std::array<std::pair<Ours, Wire>, N>& table, Ours value) {
  for (const auto& [ours, theirs] : table) {
    if (ours == value) return theirs;
  }
  return Wire();
}

using Faults = std::vector<std::string>;

// Unset (0) leaves the default as it is.
template <typename Ours, typename Wire, size_t N>
void ReadChoice(const char* field, const std::array<std::pair<Ours, Wire>, N>& table, int wire, Ours& value,
                Faults& faults) {
  if (wire == 0) return;
  if (const std::optional<Ours> ours = FromWire(table, wire)) {
    value = *ours;
  } else {
    faults.push_back(absl::StrFormat("%s is %d; wants a value of its enum", field, wire));
  }
}

void ReadParams(const edit::v1::EditParams& wire, EditParams& params, Faults& faults) {
  params.instruction = wire.instruction();
  params.negative = wire.negative();
  if (wire.has_steps()) params.steps = wire.steps();
  if (wire.has_resolution()) params.resolution = wire.resolution();
  if (wire.has_cfg_text()) params.cfg_text = wire.cfg_text();
  if (wire.has_cfg_image()) params.cfg_image = wire.cfg_image();
  if (wire.has_count()) params.count = wire.count();
  if (wire.has_auto_mask()) params.auto_mask = wire.auto_mask();
  if (wire.has_mask_feather()) params.mask_feather = wire.mask_feather();
  ReadChoice("sampler", kSamplers, wire.sampler(), params.sampler, faults);
  ReadChoice("schedule", kSchedules, wire.schedule(), params.schedule, faults);
  if (!wire.has_seed()) {
    params.seed = RandomUint32();
  } else if (wire.seed() < 0 || wire.seed() > kMaxSeed) {
    faults.push_back(absl::StrFormat("seed is %d; wants 0..%d", wire.seed(), kMaxSeed));
  } else {
    params.seed = static_cast<uint32_t>(wire.seed());
  }
}

void ReadOutput(const image::v1::ImageOutput& wire, EditTask& task, Faults& faults) {
  ReadChoice("output.format", kFormats, wire.format(), task.output.format, faults);
  if (wire.has_quality()) task.output.quality = wire.quality();
  if (task.output.quality < 1 || task.output.quality > 100) {
    faults.push_back(absl::StrFormat("output.quality is %d; wants 1..100", task.output.quality));
  }
  task.output.lossless = wire.lossless();
  if (wire.lossless() && task.output.format != ImageFormat::kWebp) {
    faults.push_back("output.lossless is set; wants the format WebP with it");
  }
  task.embed_parameters = !wire.omit_parameters();
}

void CheckPicture(const char* field, const image::v1::Image& wire, Faults& faults) {
  const ImageLimits limits;
  if (wire.data().empty()) {
    faults.push_back(absl::StrCat(field, " is empty; wants a JPEG, PNG or WebP file"));
  } else if (wire.data().size() > limits.max_bytes) {
    faults.push_back(
        absl::StrFormat("%s is %d bytes; wants at most %d", field, wire.data().size(), limits.max_bytes));
  } else if (const absl::StatusOr<ImageFormat> found = SniffImageFormat(wire.data()); !found.ok()) {
    faults.push_back(absl::StrCat(field, absl::StripPrefix(found.status().message(), "image")));
  } else if (wire.format() != 0 && wire.format() != ToWire(kFormats, *found)) {
    faults.push_back(absl::StrFormat("%s.format is %d; the data is %s, wants the same or none", field,
                                     wire.format(), absl::AsciiStrToUpper(ImageFormatName(*found))));
  }
}

// What has to do with keeping the rest of the photo; the mask's size is judged when both are decoded.
void CheckMask(const EditRequest& request, const EditTask& task, Faults& faults) {
  if (request.has_mask()) CheckPicture("mask", request.mask(), faults);
  if (request.has_mask() && task.params.auto_mask) {
    faults.push_back("mask and auto_mask are both given; wants one of them");
  }
  if ((request.has_mask() || task.params.auto_mask) && !IsLossless(task.output)) {
    faults.push_back(
        absl::StrFormat("output.format is %s; a masked edit keeps pixels as they are, wants PNG or "
                        "lossless WebP",
                        absl::AsciiStrToUpper(ImageFormatName(task.output.format))));
  }
}

// Of everything but the id itself.
uint64_t Fingerprint(const EditRequest& request) {
  EditRequest content = request;
  content.clear_request_id();
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  content.SerializeToCodedStream(&coded);
  coded.Trim();
  return absl::HashOf(bytes);
}

image::v1::Image PictureProto(std::string file, ImageFormat format, int width, int height) {
  image::v1::Image wire;
  wire.set_data(std::move(file));
  wire.set_format(ToWire(kFormats, format));
  wire.set_width(width);
  wire.set_height(height);
  return wire;
}

}  // namespace

absl::StatusOr<EditTask> TaskFromProto(const EditRequest& request, int preview_every,
                                       const std::string& caller, const std::string& fallback_id) {
  Faults faults;
  EditTask task;
  task.params.preview_every = preview_every;
  CheckPicture("image", request.image(), faults);
  ReadParams(request.params(), task.params, faults);
  ReadOutput(request.output(), task, faults);
  CheckMask(request, task, faults);

  const Image any_photo{
      .width = 1, .height = 1, .pixels = {0, 0, 0}};  // its own checks come when it is decoded
  if (const absl::Status params = ValidateEdit(task.params, any_photo); !params.ok()) {
    faults.push_back(std::string(params.message()));
  }
  task.named = !request.request_id().empty();
  if (task.named && !IsRequestId(request.request_id())) {
    faults.push_back(absl::StrFormat(
        "request_id of %d bytes is no good name; wants at most 128 characters of [A-Za-z0-9._:-]",
        request.request_id().size()));
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "; "));

  task.photo = request.image().data();
  task.mask = request.mask().data();
  task.model = request.model();
  task.request_id = task.named ? request.request_id() : fallback_id;
  if (task.named) task.fingerprint = Fingerprint(request);
  task.caller = caller;
  return task;
}

edit::v1::EditParams ToProto(const EditParams& params) {
  edit::v1::EditParams wire;
  wire.set_instruction(params.instruction);
  wire.set_negative(params.negative);
  wire.set_steps(params.steps);
  wire.set_resolution(params.resolution);
  wire.set_cfg_text(params.cfg_text);
  wire.set_cfg_image(params.cfg_image);
  wire.set_seed(params.seed);
  wire.set_sampler(ToWire(kSamplers, params.sampler));
  wire.set_schedule(ToWire(kSchedules, params.schedule));
  wire.set_count(params.count);
  if (params.auto_mask) wire.set_auto_mask(*params.auto_mask);
  wire.set_mask_feather(params.mask_feather);
  return wire;
}

edit::v1::EditAccepted ToProto(const EditAdmission& admission) {
  edit::v1::EditAccepted wire;
  wire.set_request_id(admission.request_id);
  wire.set_position(admission.position);
  if (admission.estimate > absl::ZeroDuration()) *wire.mutable_estimate() = DurationProto(admission.estimate);
  *wire.mutable_params() = ToProto(admission.params);
  return wire;
}

edit::v1::EditProgress ToProto(const EditProgress& progress) {
  edit::v1::EditProgress wire;
  wire.set_output(progress.output);
  wire.set_step(progress.step);
  wire.set_steps(progress.steps);
  if (progress.preview) {
    const Image& sketch = *progress.preview;
    if (absl::StatusOr<std::string> png = EncodeImage(sketch, {.format = ImageFormat::kPng}); png.ok()) {
      *wire.mutable_preview() = PictureProto(*std::move(png), ImageFormat::kPng, sketch.width, sketch.height);
    }
  }
  return wire;
}

edit::v1::EditResult ToProto(const EditAnswer& answer, bool replayed) {
  edit::v1::EditResult wire;
  for (const EditAnswer::Output& output : answer.outputs) {
    edit::v1::EditOutput& picture = *wire.add_outputs();
    *picture.mutable_image() = PictureProto(output.file, output.format, output.width, output.height);
    picture.set_seed(output.seed);
    if (!output.mask.empty()) {
      *picture.mutable_mask() = PictureProto(output.mask, ImageFormat::kPng, output.width, output.height);
    }
  }
  *wire.mutable_params() = ToProto(answer.params);
  wire.set_model(answer.model);
  wire.set_instruction_truncated(answer.instruction_truncated);
  wire.set_negative_truncated(answer.negative_truncated);
  wire.set_request_id(answer.request_id);
  *wire.mutable_queue_time() = DurationProto(answer.queue_time);
  *wire.mutable_run_time() = DurationProto(answer.run_time);
  wire.set_replayed(replayed);
  return wire;
}

edit::v1::GetCapabilitiesResponse CapabilitiesProto(const CapabilityFacts& facts) {
  edit::v1::GetCapabilitiesResponse wire;
  wire.set_version(IP2P_VERSION);
  for (const auto& [ours, theirs] : kSamplers) wire.add_samplers(theirs);
  for (const auto& [ours, theirs] : kSchedules) wire.add_schedules(theirs);
  for (const auto& [ours, theirs] : kFormats) {
    wire.add_input_formats(theirs);
    wire.add_output_formats(theirs);
  }
  EditParams defaults;
  defaults.resolution = facts.native_resolution;
  *wire.mutable_defaults() = ToProto(defaults);
  wire.mutable_defaults()->clear_seed();

  edit::v1::EditLimits& limits = *wire.mutable_limits();
  const ImageLimits image;
  limits.set_max_image_bytes(static_cast<int64_t>(image.max_bytes));
  limits.set_max_image_side(image.max_side);
  limits.set_max_image_pixels(image.max_pixels);
  limits.set_max_text_bytes(static_cast<int>(kMaxTextBytes));
  limits.set_max_steps(kMaxSteps);
  limits.set_max_resolution(kMaxResolution);
  limits.set_max_count(kMaxCount);
  limits.set_max_cfg(kMaxGuidance);
  limits.set_queue_limit(facts.queue_limit);
  limits.set_client_limit(facts.client_limit);
  limits.set_max_batch(facts.max_batch);
  limits.set_max_mask_feather(kMaxMaskFeather);
  if (facts.estimate > absl::ZeroDuration()) *wire.mutable_estimate() = DurationProto(facts.estimate);
  return wire;
}

}  // namespace ip2p::edit_server
