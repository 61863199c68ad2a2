// Enum values are named after the flags' values, so they translate by name: "dpmpp_2m" is SAMPLER_DPMPP_2M.
#include "services/cli/edit_proto.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

std::string WireName(const char* prefix, const char* name) {
  return absl::StrCat(prefix, absl::AsciiStrToUpper(name));
}

}  // namespace

edit::v1::StreamEditRequest ToProto(const EditTask& task, const std::string& model) {
  edit::v1::StreamEditRequest request;
  request.set_preview_every(task.params.preview_every);
  edit::v1::EditRequest& edit = *request.mutable_edit();
  edit.mutable_image()->set_data(task.photo);
  if (!task.mask.empty()) edit.mutable_mask()->set_data(task.mask);
  edit.set_model(model);

  edit::v1::EditParams& params = *edit.mutable_params();
  params.set_instruction(task.params.instruction);
  params.set_negative(task.params.negative);
  params.set_steps(task.params.steps);
  if (task.params.resolution != kNativeResolution) params.set_resolution(task.params.resolution);
  params.set_cfg_text(task.params.cfg_text);
  params.set_cfg_image(task.params.cfg_image);
  params.set_seed(task.params.seed);
  params.set_count(task.params.count);
  if (task.params.auto_mask) params.set_auto_mask(*task.params.auto_mask);
  params.set_mask_feather(task.params.mask_feather);
  edit::v1::Sampler sampler = edit::v1::SAMPLER_UNSPECIFIED;
  edit::v1::Sampler_Parse(WireName("SAMPLER_", SamplerName(task.params.sampler)), &sampler);
  params.set_sampler(sampler);
  edit::v1::SigmaSchedule schedule = edit::v1::SIGMA_SCHEDULE_UNSPECIFIED;
  edit::v1::SigmaSchedule_Parse(WireName("SIGMA_SCHEDULE_", ScheduleName(task.params.schedule)), &schedule);
  params.set_schedule(schedule);

  image::v1::ImageFormat format = image::v1::IMAGE_FORMAT_UNSPECIFIED;
  image::v1::ImageFormat_Parse(WireName("IMAGE_FORMAT_", ImageFormatName(task.output.format)), &format);
  edit.mutable_output()->set_format(format);
  edit.mutable_output()->set_quality(task.output.quality);
  edit.mutable_output()->set_lossless(task.output.lossless);
  edit.mutable_output()->set_omit_parameters(!task.embed_parameters);
  return request;
}

absl::StatusOr<EditAnswer> AnswerFromProto(edit::v1::EditResult result, const EditParams& params) {
  const int count = params.count;
  if (result.outputs_size() != count) {
    return absl::InternalError(
        absl::StrCat("server's answer holds ", result.outputs_size(), " pictures; wants ", count));
  }
  EditAnswer answer;
  answer.instruction_truncated = result.instruction_truncated();
  answer.negative_truncated = result.negative_truncated();
  answer.resolution = result.params().resolution();
  answer.model = result.model();
  for (edit::v1::EditOutput& output : *result.mutable_outputs()) {
    EditedFile file;
    file.seed = static_cast<uint32_t>(output.seed());
    file.width = output.image().width();
    file.height = output.image().height();
    file.bytes = std::move(*output.mutable_image()->mutable_data());
    file.mask = std::move(*output.mutable_mask()->mutable_data());
    if (params.auto_mask && file.mask.empty()) {
      return absl::InternalError("server's answer holds no mask; wants the one that was found");
    }
    answer.files.push_back(std::move(file));
  }
  return answer;
}

}  // namespace ip2p
