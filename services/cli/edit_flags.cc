// Words are checked while flags are parsed, so that a wrong one is a usage fault. Numbers have one judge,
// ValidateEdit (the server's too), so that both ways of editing refuse the same with the same text.
#include "services/cli/edit_flags.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/limits.h"
#include "common/base/miniature.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "services/cli/word_check.h"

namespace ip2p {
namespace {

std::string SamplerNames() {
  std::string names;
  for (const SamplerKind kind : AllSamplers())
    absl::StrAppend(&names, names.empty() ? "" : ", ", SamplerName(kind));
  return names;
}

absl::StatusOr<ImageFormat> OutputFormat(const EditFlags& flags) {
  if (!flags.format.empty()) return ImageFormatOfPath("." + flags.format);
  if (flags.output == "-") return ImageFormat::kPng;
  return ImageFormatOfPath(flags.output);
}

constexpr double kAutoMask = 0.5;

void AddMaskFlags(CLI::App& app, EditFlags& flags) {
  app.add_option("--mask", flags.mask,
                 "Edit only where this picture of the photo's size is white; the rest stays as it is")
      ->group("Keep the rest");
  app.add_option("--auto-mask", flags.auto_mask,
                 "Edit only what the instruction is about: where it makes this part, 0..1, of the most "
                 "difference (alone: 0.5)")
      ->expected(0, 1)
      ->group("Keep the rest");
  app.add_option(
         "--mask-feather", flags.params.mask_feather,
         "Width over which the edit fades in, inwards from the mask's edge, in px of the photo, 0..64")
      ->capture_default_str()
      ->group("Keep the rest");
  app.add_option("--mask-output", flags.mask_output, "Where to write the mask that --auto-mask found: .png")
      ->group("Keep the rest");
}

// The result has the photo's own size and, outside of the mask, its pixels bit for bit.
absl::Status ReadMaskFlags(const EditFlags& flags, EditTask& task) {
  if (!flags.auto_mask.empty() && flags.auto_mask != "false") {
    double threshold = kAutoMask;
    if (flags.auto_mask != "true" && !absl::SimpleAtod(flags.auto_mask, &threshold)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--auto-mask is \"", flags.auto_mask, "\"; wants a number in 0..1, or nothing"));
    }
    task.params.auto_mask = threshold;
  }
  if (!flags.mask.empty() && task.params.auto_mask) {
    return absl::InvalidArgumentError("--mask and --auto-mask are both given; wants one of them");
  }
  if (!flags.mask_output.empty() && !task.params.auto_mask) {
    return absl::InvalidArgumentError("--mask-output is given without --auto-mask, which finds a mask");
  }
  if (!flags.mask_output.empty() && !absl::EndsWithIgnoreCase(flags.mask_output, ".png")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--mask-output is ", flags.mask_output, "; wants a name that ends in .png"));
  }
  if ((!flags.mask.empty() || task.params.auto_mask) && !IsLossless(task.output)) {
    return absl::InvalidArgumentError(
        absl::StrCat("output is ", absl::AsciiStrToUpper(ImageFormatName(task.output.format)),
                     "; a masked edit keeps pixels as they are, wants PNG or WebP with --lossless"));
  }
  return absl::OkStatus();
}

void AddParams(CLI::App& app, EditFlags& flags) {
  EditParams& p = flags.params;
  app.add_option("--steps", p.steps, "Denoising steps, 1..1000")->capture_default_str();
  app.add_option("--resolution", p.resolution,
                 "Longest side in px, a multiple of 64; 0 keeps the photo's own size (default: the model's "
                 "own, 512 for Stable Diffusion 1.x)");
  app.add_option("--seed", flags.seed,
                 "Seed of the noise, 0..4294967295; picture i uses seed + i (default: random)")
      ->check(CLI::Range(int64_t{0}, kMaxSeed));
  app.add_option("--cfg-text", p.cfg_text, "Text guidance: how much of the instruction")
      ->capture_default_str();
  app.add_option("--cfg-image", p.cfg_image, "Image guidance: how much of the photo")->capture_default_str();
  app.add_option("--sampler", flags.sampler, "Sampling method: " + SamplerNames())
      ->check(ParsesAs(ParseSampler))
      ->capture_default_str();
  app.add_option("--schedule", flags.schedule, "Noise levels: default, karras, exponential")
      ->check(ParsesAs(ParseSchedule))
      ->capture_default_str();
  app.add_option("--negative", p.negative, "What to steer away from");
  app.add_option("--count", p.count, "Pictures to make, 1..8; -0, -1, ... is put before the extension")
      ->capture_default_str();
}

}  // namespace

void AddEditFlags(CLI::App& app, EditFlags& flags) {
  app.add_option("-i,--input", flags.input, "Photo: JPEG, PNG or WebP; - is standard input")->required();
  app.add_option("-o,--output", flags.output, "Where to: .png, .jpg or .webp; - is standard output")
      ->required();
  app.add_option("-e,--edit", flags.params.instruction, "What to change; \"\" only fits the size")
      ->required();
  AddParams(app, flags);
  AddMaskFlags(app, flags);
  app.add_option("--format", flags.format, "png, jpg or webp (default: the output's extension; png for -)")
      ->check(CLI::IsMember({"png", "jpg", "jpeg", "webp"}));
  app.add_option("--quality", flags.quality, "1..100, for JPEG and WebP")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_flag("--lossless", flags.lossless, "WebP without loss");
  app.add_flag("--no-parameters", flags.no_parameters, "Leave out of the file how it was made");
  app.add_option("--preview-dir", flags.preview_dir,
                 "Write sketches of the work in progress into this folder");
  app.add_option("--preview-every", flags.preview_every, "Steps between sketches")
      ->check(CLI::Range(1, kMaxPreviewEvery))
      ->capture_default_str();
  app.add_option("--timeout", flags.timeout_s, "Give up after so many seconds; 0 never does")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  app.add_flag("--json", flags.json, "Print what was done as JSON on standard output");
  AddModelFlags(app, flags.local, "In this process");
  AddServerFlags(app, flags.server);
  app.add_option("--model", flags.server_model, "Name of the server's model (default: its first)")
      ->group("Server");
}

absl::StatusOr<EditTask> TaskFromFlags(EditFlags& flags) {
  EditTask task;
  IP2P_ASSIGN_OR_RETURN(task.output.format, OutputFormat(flags));
  if (flags.lossless && task.output.format != ImageFormat::kWebp) {
    return absl::InvalidArgumentError("--lossless is given for another format; wants WebP");
  }
  if (flags.json && flags.output == "-") {
    return absl::InvalidArgumentError("--json and --output - both want standard output; wants one of them");
  }
  if (flags.output == "-" && flags.params.count > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("count is ", flags.params.count, "; wants 1 with --output -"));
  }
  if (flags.server.address.empty() && flags.local.model.path.empty() && !flags.params.instruction.empty()) {
    const absl::StatusOr<std::string> path = FindMiniature("edit");
    if (!path.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("no model is named, and ", path.status().message(),
                                                     "; wants --ckpt PATH, or --server HOST:PORT"));
    }
    flags.local.model.path = *path;
    flags.miniature = true;
  }
  task.output.quality = flags.quality;
  task.output.lossless = flags.lossless;
  task.embed_parameters = !flags.no_parameters;
  task.params = flags.params;
  IP2P_RETURN_IF_ERROR(ReadMaskFlags(flags, task));
  task.params.seed = flags.seed < 0 ? RandomUint32() : static_cast<uint32_t>(flags.seed);
  task.params.preview_every = flags.preview_dir.empty() ? 0 : flags.preview_every;
  IP2P_ASSIGN_OR_RETURN(task.params.sampler, ParseSampler(flags.sampler));
  IP2P_ASSIGN_OR_RETURN(task.params.schedule, ParseSchedule(flags.schedule));
  IP2P_RETURN_IF_ERROR(FinishModelFlags(flags.local));
  if (flags.timeout_s > 0) task.timeout = absl::Seconds(flags.timeout_s);
  return task;
}

}  // namespace ip2p
