#include "services/gateway/edit_form_proto.h"

#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/limits.h"
#include "common/base/status_macros.h"
#include "services/gateway/json_body.h"
#include "services/gateway/multipart.h"
#include "services/gateway/proto_json.h"

namespace ip2p::gateway {
namespace {

using nlohmann::json;

// The fields, and the pictures that came as files.
struct Form {
  json fields = json::object();
  std::map<std::string, std::string_view> pictures;
};

absl::StatusOr<Form> ReadForm(const WebRequest& request) {
  Form form;
  const std::string type(request.Header("content-type"));
  if (!absl::StartsWithIgnoreCase(type, "multipart/form-data")) {
    IP2P_ASSIGN_OR_RETURN(form.fields, ParseBody(request.body));
    return form;
  }
  IP2P_ASSIGN_OR_RETURN(const std::vector<FormPart> parts, ParseMultipart(type, request.body));
  for (const FormPart& part : parts) {
    if (part.name == "image" || part.name == "mask") {
      form.pictures[part.name] = part.bytes;
    } else {
      form.fields[part.name] = std::string(part.bytes);
    }
  }
  return form;
}

// Moves a field from the form into a message's field of another name.
absl::Status Move(json& fields, const char* name, const char* target, google::protobuf::Message* message) {
  const auto found = fields.find(name);
  if (found == fields.end()) return absl::OkStatus();
  const absl::Status set = FromJson({{target, *found}}, "", message);
  fields.erase(found);
  if (set.ok()) return set;
  // The message speaks of the target's name; the sender knows another one.
  std::string text(set.message());
  if (absl::StartsWith(text, target)) text = absl::StrCat(name, text.substr(std::string(target).size()));
  return absl::InvalidArgumentError(text);
}

absl::StatusOr<edit::v1::StreamEditRequest> EditFromForm(Form form) {
  edit::v1::StreamEditRequest stream;
  edit::v1::EditRequest& edit = *stream.mutable_edit();
  for (const auto& [name, bytes] : form.pictures) {
    (name == "image" ? edit.mutable_image() : edit.mutable_mask())->set_data(bytes.data(), bytes.size());
  }
  if (form.fields.contains("image")) {
    IP2P_RETURN_IF_ERROR(Move(form.fields, "image", "data", edit.mutable_image()));
  }
  if (form.fields.contains("mask")) {
    IP2P_RETURN_IF_ERROR(Move(form.fields, "mask", "data", edit.mutable_mask()));
  }
  if (edit.image().data().empty()) {
    return absl::InvalidArgumentError("image is missing or empty; wants a JPEG, PNG or WebP file");
  }
  IP2P_RETURN_IF_ERROR(Move(form.fields, "model", "model", &edit));
  IP2P_RETURN_IF_ERROR(Move(form.fields, "request_id", "request_id", &edit));
  IP2P_RETURN_IF_ERROR(Move(form.fields, "preview_every", "preview_every", &stream));
  for (const char* name : {"format", "quality", "lossless", "omit_parameters"}) {
    IP2P_RETURN_IF_ERROR(Move(form.fields, name, name, edit.mutable_output()));
  }
  IP2P_RETURN_IF_ERROR(FromJson(form.fields, "", edit.mutable_params()));
  return stream;
}

absl::StatusOr<std::vector<double>> TakeScales(json& fields, const char* name) {
  const auto bad = [name](const std::string& found) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is ", found, "; wants a list of 1..",
                                                   kMaxSweepCells, " numbers in 0..", kMaxGuidance));
  };
  const auto found = fields.find(name);
  if (found == fields.end()) return bad("missing");
  json list = *found;
  fields.erase(found);
  if (list.is_string()) {
    json numbers = json::array();
    for (const absl::string_view text : absl::StrSplit(list.get<std::string>(), ',')) {
      double number = 0;
      if (!absl::SimpleAtod(absl::StripAsciiWhitespace(text), &number)) return bad(Found(list));
      numbers.push_back(number);
    }
    list = std::move(numbers);
  }
  if (!list.is_array() || list.empty() || list.size() > kMaxSweepCells) return bad(Found(list));
  std::vector<double> scales;
  for (const json& scale : list) {
    if (!scale.is_number()) return bad(absl::StrCat("a list with ", Found(scale)));
    scales.push_back(scale.get<double>());
    if (!(scales.back() >= 0 && scales.back() <= kMaxGuidance)) {
      return bad(absl::StrCat("a list with ", Found(scale)));
    }
  }
  return scales;
}

}  // namespace

absl::StatusOr<edit::v1::StreamEditRequest> EditFromRequest(const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(Form form, ReadForm(request));
  return EditFromForm(std::move(form));
}

absl::StatusOr<Sweep> SweepFromRequest(const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(Form form, ReadForm(request));
  Sweep sweep;
  IP2P_ASSIGN_OR_RETURN(sweep.cfg_text, TakeScales(form.fields, "cfg_text"));
  IP2P_ASSIGN_OR_RETURN(sweep.cfg_image, TakeScales(form.fields, "cfg_image"));
  const size_t cells = sweep.cfg_text.size() * sweep.cfg_image.size();
  if (cells > kMaxSweepCells) {
    return absl::InvalidArgumentError(
        absl::StrCat("cfg_text and cfg_image make ", cells, " cells; wants at most ", kMaxSweepCells));
  }
  IP2P_ASSIGN_OR_RETURN(sweep.edit, EditFromForm(std::move(form)));
  const edit::v1::EditParams& params = sweep.edit.edit().params();
  if (params.has_count() && params.count() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("count is ", params.count(), "; a sweep wants 1"));
  }
  return sweep;
}

}  // namespace ip2p::gateway
