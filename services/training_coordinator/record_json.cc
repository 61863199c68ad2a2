// Times and durations are whole microseconds; a number that is no number is null.
#include "services/training_coordinator/record_json.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/base/json.h"

namespace ip2p::training_coordinator {
namespace {

using Json = nlohmann::json;

// Reads the values that are there; `ok` is false when one has another type.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  bool ok() const { return ok_; }
  const Json* Find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }
  template <typename T>
  void Read(const char* key, T& value) {
    const Json* found = Find(key);
    if (found == nullptr) return;
    if constexpr (std::is_same_v<T, std::string>) {
      if (!(ok_ = ok_ && found->is_string())) return;
      value = found->template get<std::string>();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!(ok_ = ok_ && found->is_boolean())) return;
      value = found->template get<bool>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (found->is_null()) {
        value = std::numeric_limits<double>::quiet_NaN();
        return;
      }
      if (!(ok_ = ok_ && found->is_number())) return;
      value = found->template get<double>();
    } else {
      if (!(ok_ = ok_ && found->is_number_integer())) return;
      value = static_cast<T>(found->template get<int64_t>());
    }
  }
  template <typename T>
  void Read(const char* key, std::optional<T>& value) {
    if (Find(key) != nullptr) Read(key, value.emplace());
  }
  void Read(const char* key, absl::Time& value) {
    if (Find(key) == nullptr) return;
    int64_t micros = 0;
    Read(key, micros);
    value = absl::FromUnixMicros(micros);
  }
  void Read(const char* key, absl::Duration& value) {
    int64_t micros = 0;
    Read(key, micros);
    value = absl::Microseconds(micros);
  }
  void Require(bool fine) { ok_ = ok_ && fine; }

 private:
  const Json& json_;
  bool ok_ = true;
};

void Put(Json& json, const char* key, absl::Time time) {
  if (time != absl::InfinitePast()) json[key] = absl::ToUnixMicros(time);
}

template <typename T>
void Put(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = *value;
}

Json ToObject(const ValidationFigures& figures) {
  Json json{{"step", figures.step}, {"loss", figures.loss}};
  Put(json, "clip_direction", figures.clip_direction);
  Put(json, "clip_image", figures.clip_image);
  return json;
}

Json ToObject(const StepFigures& figures) {
  Json json{{"step", figures.step},
            {"loss", figures.loss},
            {"learning_rate", figures.learning_rate},
            {"grad_norm", figures.grad_norm},
            {"step_us", absl::ToInt64Microseconds(figures.step_duration)},
            {"data_wait_share", figures.data_wait_share},
            {"samples", figures.samples}};
  if (figures.remaining) json["remaining_us"] = absl::ToInt64Microseconds(*figures.remaining);
  if (figures.validation) json["validation"] = ToObject(*figures.validation);
  return json;
}

Json ToObject(const JobPlan& plan) {
  return {{"name", plan.name},
          {"objective", plan.objective},
          {"world_size", plan.world_size},
          {"threads", plan.threads},
          {"gpu", plan.gpu},
          {"max_restarts", plan.max_restarts},
          {"max_steps", plan.max_steps},
          {"keep_checkpoints", plan.keep_checkpoints}};
}

bool FromObject(const Json& json, ValidationFigures& figures) {
  Reader reader(json);
  reader.Read("step", figures.step);
  reader.Read("loss", figures.loss);
  reader.Read("clip_direction", figures.clip_direction);
  reader.Read("clip_image", figures.clip_image);
  return json.is_object() && reader.ok();
}

bool FromObject(const Json& json, StepFigures& figures) {
  Reader reader(json);
  reader.Read("step", figures.step);
  reader.Read("loss", figures.loss);
  reader.Read("learning_rate", figures.learning_rate);
  reader.Read("grad_norm", figures.grad_norm);
  reader.Read("step_us", figures.step_duration);
  reader.Read("data_wait_share", figures.data_wait_share);
  reader.Read("samples", figures.samples);
  if (reader.Find("remaining_us") != nullptr) reader.Read("remaining_us", figures.remaining.emplace());
  const Json* validation = reader.Find("validation");
  if (validation != nullptr) reader.Require(FromObject(*validation, figures.validation.emplace()));
  return json.is_object() && reader.ok();
}

bool FromObject(const Json& json, JobPlan& plan) {
  Reader reader(json);
  reader.Read("name", plan.name);
  reader.Read("objective", plan.objective);
  reader.Read("world_size", plan.world_size);
  reader.Read("threads", plan.threads);
  reader.Read("gpu", plan.gpu);
  reader.Read("max_restarts", plan.max_restarts);
  reader.Read("max_steps", plan.max_steps);
  reader.Read("keep_checkpoints", plan.keep_checkpoints);
  return json.is_object() && reader.ok();
}

std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

absl::Status Damaged(const char* what) {
  return absl::DataLossError(std::string(what) +
                             " in the store is damaged; wants one that a coordinator wrote");
}

}  // namespace

std::string ToJson(const Job& job) {
  Json json{{"id", job.id},
            {"number", job.number},
            {"request_id", job.request_id},
            {"spec", absl::Base64Escape(job.spec)},
            {"spec_digest", job.spec_digest},
            {"plan", ToObject(job.plan)},
            {"token_digest", job.token_digest},
            {"state", static_cast<int>(job.state)},
            {"wish", static_cast<int>(job.wish)},
            {"error", job.error},
            {"restarts", job.restarts},
            {"fruitless_restarts", job.fruitless_restarts},
            {"queue_order", job.queue_order},
            {"epoch", job.epoch},
            {"launched", job.launched},
            {"slots", job.slots},
            {"store_host", job.store_host},
            {"store_port", job.store_port}};
  Put(json, "not_before", job.not_before);
  Put(json, "create_time", job.create_time);
  Put(json, "start_time", job.start_time);
  Put(json, "finish_time", job.finish_time);
  if (job.figures) json["figures"] = ToObject(*job.figures);
  Put(json, "resume_step", job.resume_step);
  Put(json, "from_step", job.from_step);
  Put(json, "save_at", job.save_at);
  Json& ends = json["ends"] = Json::array();
  for (const RankEnd& end : job.ends) {
    ends.push_back(
        {{"rank", end.rank}, {"outcome", static_cast<int>(end.outcome)}, {"message", end.message}});
  }
  return Text(json);
}

std::string ToJson(const CheckpointRecord& checkpoint) {
  Json json{{"job_id", checkpoint.job_id},
            {"step", checkpoint.step},
            {"size_bytes", checkpoint.size_bytes},
            {"loss", checkpoint.loss},
            {"promoted_to", checkpoint.promoted_to}};
  Put(json, "create_time", checkpoint.create_time);
  if (checkpoint.validation) json["validation"] = ToObject(*checkpoint.validation);
  return Text(json);
}

absl::StatusOr<Job> JobFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Damaged("a job");
  Job job;
  Reader reader(json);
  std::string spec;
  auto state = static_cast<int>(job.state);
  auto wish = static_cast<int>(job.wish);
  reader.Read("id", job.id);
  reader.Read("number", job.number);
  reader.Read("request_id", job.request_id);
  reader.Read("spec", spec);
  reader.Read("spec_digest", job.spec_digest);
  reader.Read("token_digest", job.token_digest);
  reader.Read("state", state);
  reader.Read("wish", wish);
  reader.Read("error", job.error);
  reader.Read("restarts", job.restarts);
  reader.Read("fruitless_restarts", job.fruitless_restarts);
  reader.Read("queue_order", job.queue_order);
  reader.Read("not_before", job.not_before);
  reader.Read("create_time", job.create_time);
  reader.Read("start_time", job.start_time);
  reader.Read("finish_time", job.finish_time);
  reader.Read("epoch", job.epoch);
  reader.Read("launched", job.launched);
  reader.Read("resume_step", job.resume_step);
  reader.Read("from_step", job.from_step);
  reader.Read("store_host", job.store_host);
  reader.Read("store_port", job.store_port);
  reader.Read("save_at", job.save_at);
  reader.Require(!job.id.empty() && absl::Base64Unescape(spec, &job.spec));
  reader.Require(state >= 1 && state <= static_cast<int>(JobState::kCancelled) && wish >= 0 && wish <= 2);
  if (const Json* plan = reader.Find("plan")) reader.Require(FromObject(*plan, job.plan));
  if (const Json* figures = reader.Find("figures")) {
    reader.Require(FromObject(*figures, job.figures.emplace()));
  }
  for (const Json& slot : json.value("slots", Json::array())) {
    reader.Require(slot.is_number_integer());
    if (reader.ok()) job.slots.push_back(slot.get<int>());
  }
  for (const Json& end : json.value("ends", Json::array())) {
    RankEnd& read = job.ends.emplace_back();
    auto outcome = static_cast<int>(read.outcome);
    Reader fields(end);
    fields.Read("rank", read.rank);
    fields.Read("outcome", outcome);
    fields.Read("message", read.message);
    reader.Require(end.is_object() && fields.ok() && outcome >= 1 && outcome <= 4);
    read.outcome = static_cast<Outcome>(outcome);
  }
  if (!reader.ok()) return Damaged("a job");
  job.state = static_cast<JobState>(state);
  job.wish = static_cast<Wish>(wish);
  return job;
}

absl::StatusOr<CheckpointRecord> CheckpointFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Damaged("a checkpoint");
  CheckpointRecord checkpoint;
  Reader reader(json);
  reader.Read("job_id", checkpoint.job_id);
  reader.Read("step", checkpoint.step);
  reader.Read("create_time", checkpoint.create_time);
  reader.Read("size_bytes", checkpoint.size_bytes);
  reader.Read("loss", checkpoint.loss);
  if (const Json* validation = reader.Find("validation")) {
    reader.Require(FromObject(*validation, checkpoint.validation.emplace()));
  }
  for (const Json& name : json.value("promoted_to", Json::array())) {
    reader.Require(name.is_string());
    if (reader.ok()) checkpoint.promoted_to.push_back(name.get<std::string>());
  }
  if (!reader.ok() || checkpoint.job_id.empty()) return Damaged("a checkpoint");
  return checkpoint;
}

}  // namespace ip2p::training_coordinator
