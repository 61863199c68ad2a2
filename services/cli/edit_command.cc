// `ip2p edit`: reads the photo, edits it here or there, writes the pictures, tells what was done.
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/miniature.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/storage/atomic_file.h"
#include "services/cli/commands.h"
#include "services/cli/edit_flags.h"
#include "services/cli/edit_task.h"
#include "services/cli/files.h"
#include "services/cli/output_names.h"
#include "services/cli/reporter.h"

namespace ip2p {
namespace {

// Shows an edit to the user and keeps its sketches.
class Watcher : public EditListener {
 public:
  Watcher(Console& console, const EditParams& params, std::string preview_dir)
      : reporter_(console, params.count, params.steps), preview_dir_(std::move(preview_dir)) {}

  void OnLoading() override { reporter_.Say("loading the model"); }

  void OnAccepted(int position, absl::Duration estimate) override {
    std::string text = position > 0
                           ? absl::StrCat("queued behind ", position, position == 1 ? " edit" : " edits")
                           : std::string("accepted");
    if (estimate > absl::ZeroDuration()) absl::StrAppend(&text, ", about ", FormatClock(estimate));
    reporter_.Say(text);
  }

  void OnStep(int output, int step) override { reporter_.Step(output, step); }

  // The first fault is told and ends the sketches, not the edit.
  void OnPreview(int output, int step, const std::string& png) override {
    if (!preview_status_.ok()) return;
    preview_status_ = WriteFileAtomically(PreviewPath(preview_dir_, output, step), png);
    if (!preview_status_.ok()) reporter_.Say(absl::StrCat("no sketches: ", preview_status_.message()));
  }

 private:
  Reporter reporter_;
  const std::string preview_dir_;
  absl::Status preview_status_;
};

nlohmann::json ToJson(const EditTask& task, const EditAnswer& answer, const EditFlags& flags,
                      absl::Duration took) {
  nlohmann::json files = nlohmann::json::array();
  for (int i = 0; i < static_cast<int>(answer.files.size()); ++i) {
    const EditedFile& file = answer.files[i];
    nlohmann::json told = {{"path", OutputPath(flags.output, i, task.params.count)},
                           {"seed", file.seed},
                           {"width", file.width},
                           {"height", file.height}};
    if (!flags.mask_output.empty()) told["mask"] = OutputPath(flags.mask_output, i, task.params.count);
    files.push_back(std::move(told));
  }
  const EditParams& p = task.params;
  const nlohmann::json auto_mask = p.auto_mask ? nlohmann::json(*p.auto_mask) : nlohmann::json(nullptr);
  return {{"outputs", files},
          {"params",
           {{"instruction", p.instruction},
            {"negative", p.negative},
            {"steps", p.steps},
            {"resolution", answer.resolution},
            {"cfg_text", p.cfg_text},
            {"cfg_image", p.cfg_image},
            {"seed", p.seed},
            {"sampler", SamplerName(p.sampler)},
            {"schedule", ScheduleName(p.schedule)},
            {"count", p.count},
            {"mask", flags.mask.empty() ? nlohmann::json(nullptr) : nlohmann::json(flags.mask)},
            {"auto_mask", auto_mask},
            {"mask_feather", p.mask_feather}}},
          {"model", answer.model},
          {"instruction_truncated", answer.instruction_truncated},
          {"negative_truncated", answer.negative_truncated},
          {"seconds", absl::ToDoubleSeconds(took)}};
}

absl::Status WriteFiles(const EditTask& task, const EditAnswer& answer, const EditFlags& flags,
                        Console& console) {
  const Cancellation::Scope finish_first(console.cancellation, [] {});
  for (int i = 0; i < static_cast<int>(answer.files.size()); ++i) {
    const EditedFile& file = answer.files[i];
    const std::string path = OutputPath(flags.output, i, task.params.count);
    IP2P_RETURN_IF_ERROR(WriteOutput(path, file.bytes, console.out));
    console.err << "wrote " << (path == "-" ? "standard output" : path) << ", seed " << file.seed << "\n";
    if (flags.mask_output.empty()) continue;
    const std::string mask_path = OutputPath(flags.mask_output, i, task.params.count);
    IP2P_RETURN_IF_ERROR(WriteOutput(mask_path, file.mask, console.out));
    console.err << "wrote " << mask_path << ", its mask\n";
  }
  return absl::OkStatus();
}

absl::Status RunEdit(const EditFlags& flags, EditTask task, Console& console) {
  IP2P_ASSIGN_OR_RETURN(task.photo, ReadInput(flags.input, ImageLimits{}.max_bytes, console.in));
  if (!flags.mask.empty()) {
    IP2P_ASSIGN_OR_RETURN(task.mask, ReadWholeFile(flags.mask, ImageLimits{}.max_bytes));
  }
  if (flags.miniature) console.err << "no model is named: " << kMiniatureNote << "\n" << std::flush;
  const absl::Time start = console.clock->Now();
  absl::StatusOr<EditAnswer> answer = absl::InternalError("not run");
  {
    Watcher watcher(console, task.params, flags.preview_dir);
    answer = flags.server.address.empty()
                 ? EditLocally(console.torch, flags.local.model, task, watcher, console.cancellation)
                 : EditRemotely(flags.server, flags.server_model, task, watcher, console.cancellation);
  }
  if (!answer.ok()) return answer.status();
  if (answer->instruction_truncated)
    console.err << "the instruction has over 77 tokens; its end was not used\n";
  if (answer->negative_truncated)
    console.err << "the negative prompt has over 77 tokens; its end was not used\n";
  IP2P_RETURN_IF_ERROR(WriteFiles(task, *answer, flags, console));
  if (flags.json) {
    // Paths and texts are the user's own bytes, perhaps not UTF-8.
    const nlohmann::json report = ToJson(task, *answer, flags, console.clock->Now() - start);
    console.out << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddEditCommand(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("edit", "Edit a photo by an instruction");
  const auto flags = std::make_shared<EditFlags>();
  AddEditFlags(*command, *flags);
  command->callback([flags, &console, &chosen] {
    const absl::StatusOr<EditTask> task = TaskFromFlags(*flags);
    if (!task.ok()) throw CLI::ValidationError(std::string(task.status().message()));
    chosen.needs_torch = flags->server.address.empty() && !task->params.instruction.empty();
    chosen.run = [flags, task = *task, &console] { return RunEdit(*flags, task, console); };
  });
}

}  // namespace ip2p
