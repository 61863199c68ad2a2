#include "services/cli/train_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "common/rpc/duration_proto.h"
#include "services/cli/progress.h"
#include "services/cli/sparkline.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;

constexpr int kWidestBar = 30;
constexpr int kWidestCurve = 24;
constexpr int kNarrowest = 5;  // of both

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

// "OBJECTIVE_TEXT_TO_IMAGE" -> "text-to-image".
std::string Short(const std::string& name, const std::string& prefix) {
  return absl::StrReplaceAll(
      absl::AsciiStrToLower(name.starts_with(prefix) ? name.substr(prefix.size()) : name), {{"_", "-"}});
}

// "step 400: loss 0.12, CLIP direction 0.21, CLIP image 0.85".
std::string ValidationText(const v1::ValidationMetrics& validation) {
  std::string text = absl::StrFormat("step %d: loss %.4g", validation.step(), validation.loss());
  if (validation.has_clip_direction())
    absl::StrAppendFormat(&text, ", CLIP direction %.4f", validation.clip_direction());
  if (validation.has_clip_image()) absl::StrAppendFormat(&text, ", CLIP image %.4f", validation.clip_image());
  return text;
}

// "12.3 samples/s  0:26 left", as far as it is known.
std::vector<std::string> PaceTexts(const v1::Job& job) {
  std::vector<std::string> texts;
  if (const double speed = SamplesPerSecond(job); speed > 0) {
    texts.push_back(absl::StrFormat("%.3g samples/s", speed));
  }
  if (job.metrics().has_remaining() && job.state() == v1::JOB_STATE_RUNNING) {
    texts.push_back(absl::StrCat(FormatClock(FromProto(job.metrics().remaining())), " left"));
  }
  return texts;
}

}  // namespace

std::string StateText(v1::JobState state) { return Short(v1::JobState_Name(state), "JOB_STATE_"); }

std::string ObjectiveText(v1::Objective objective) {
  return Short(v1::Objective_Name(objective), "OBJECTIVE_");
}

bool IsFinal(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

std::string StandText(const v1::Job& job) {
  std::string text = StateText(job.state());
  if (job.state() == v1::JOB_STATE_QUEUED && job.queue_position() > 0) {
    absl::StrAppend(&text, ", place ", job.queue_position());
  } else if (job.state() == v1::JOB_STATE_RESTARTING) {
    absl::StrAppend(&text, ", ", job.restarts(), " of ", job.spec().max_restarts(), " restarts");
  }
  return text;
}

double SamplesPerSecond(const v1::Job& job) {
  const double seconds = absl::ToDoubleSeconds(FromProto(job.metrics().step_duration()));
  return job.state() == v1::JOB_STATE_RUNNING && seconds > 0 ? job.spec().params().batch_size() / seconds : 0;
}

std::string FiguresText(const v1::Job& job) {
  if (!job.has_metrics()) return "";
  std::string text = absl::StrFormat("step %d of %d, loss %.4g", job.metrics().step(),
                                     job.spec().params().max_steps(), job.metrics().loss());
  for (const std::string& pace : PaceTexts(job)) absl::StrAppend(&text, ", ", pace);
  return text;
}

std::string JobsText(const std::vector<const v1::Job*>& jobs) {
  std::string text = absl::StrFormat("%-32s %-10s %-16s %-19s %17s %9s\n", "ID", "STATE", "OBJECTIVE",
                                     "CREATED (UTC)", "STEP", "LOSS");
  for (const v1::Job* job : jobs) {
    const v1::TrainMetrics& metrics = job->metrics();
    absl::StrAppendFormat(&text, "%-32s %-10s %-16s %-19s %17s %9s\n", job->id(), StateText(job->state()),
                          ObjectiveText(job->spec().objective()), TimeText(job->create_time()),
                          absl::StrCat(metrics.step(), "/", job->spec().params().max_steps()),
                          job->has_metrics() ? absl::StrFormat("%.4g", metrics.loss()) : "-");
    if (!job->error().empty()) absl::StrAppend(&text, "  ", job->error(), "\n");
  }
  return text;
}

std::string JobText(const v1::Job& job) {
  std::string text;
  const auto row = [&text](const char* name, const std::string& value) {
    if (!value.empty()) absl::StrAppendFormat(&text, "%-12s %s\n", name, value);
  };
  const v1::JobSpec& spec = job.spec();
  row("id", job.id());
  row("state", StandText(job));
  row("error", job.error());
  row("progress", FiguresText(job));
  if (job.metrics().has_validation()) row("validation", ValidationText(job.metrics().validation()));
  row("objective", ObjectiveText(spec.objective()));
  row("start", spec.has_fresh_config()      ? absl::StrCat("fresh weights, ", spec.fresh_config())
               : spec.has_base_checkpoint() ? spec.base_checkpoint()
                                            : "the miniature");
  row("dataset", spec.dataset());
  row("workers", absl::StrCat(spec.resources().world_size(), spec.resources().gpu() ? " on GPUs" : " on CPUs",
                              ", ", spec.resources().threads(), " threads each"));
  row("restarts", absl::StrCat(job.restarts(), " of ", spec.max_restarts()));
  row("created", TimeText(job.create_time()));
  if (job.has_start_time()) row("started", TimeText(job.start_time()));
  if (job.has_finish_time()) row("finished", TimeText(job.finish_time()));
  row("request id", job.request_id());
  return text;
}

std::string CheckpointsText(const std::vector<const v1::Checkpoint*>& checkpoints) {
  std::string text =
      absl::StrFormat("%10s %-19s %9s %9s  %s\n", "STEP", "CREATED (UTC)", "MIB", "LOSS", "PROMOTED TO");
  for (const v1::Checkpoint* checkpoint : checkpoints) {
    absl::StrAppendFormat(&text, "%10d %-19s %9.1f %9.4g  %s\n", checkpoint->step(),
                          TimeText(checkpoint->create_time()),
                          static_cast<double>(checkpoint->size_bytes()) / (1 << 20), checkpoint->loss(),
                          absl::StrJoin(checkpoint->promoted_to(), " "));
    if (checkpoint->has_validation()) {
      absl::StrAppend(&text, "           validation at ", ValidationText(checkpoint->validation()), "\n");
    }
  }
  return text;
}

std::string TrainBar(const v1::Job& job, const std::vector<double>& losses, int columns, bool unicode) {
  const std::string stand = StandText(job);
  if (!job.has_metrics()) return stand.substr(0, static_cast<size_t>(std::max(columns, 0)));
  const int64_t step = job.metrics().step(), steps = std::max<int64_t>(job.spec().params().max_steps(), 1);
  std::string figures = absl::StrFormat("  %d/%d  loss %.4g", step, steps, job.metrics().loss());
  for (const std::string& pace : PaceTexts(job)) absl::StrAppend(&figures, "  ", pace);
  const int room = columns - static_cast<int>(stand.size() + figures.size());
  if (room < 0) return (stand + figures).substr(0, static_cast<size_t>(std::max(columns, 0)));
  int curve = std::min(room / 2 - 2, kWidestCurve);  // half of the room, two blanks before it
  if (curve < kNarrowest || losses.size() < 2) curve = 0;
  const int bar = std::min(room - (curve > 0 ? curve + 2 : 0) - 3, kWidestBar);  // " [" and "]"
  std::string line = stand;
  if (bar >= kNarrowest) {
    const auto filled = static_cast<size_t>(bar * std::clamp<int64_t>(step, 0, steps) / steps);
    absl::StrAppend(&line, " [", std::string(filled, '#'),
                    std::string(static_cast<size_t>(bar) - filled, '.'), "]");
  }
  absl::StrAppend(&line, figures);
  if (curve > 0) absl::StrAppend(&line, "  ", Sparkline(losses, static_cast<size_t>(curve), unicode));
  return line;
}

}  // namespace ip2p
