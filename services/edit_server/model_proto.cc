// Facts come from the engine's config; the path of a model is not among them.
#include "services/edit_server/model_proto.h"

#include <string>

#include "common/rpc/duration_proto.h"

namespace ip2p::edit_server {
namespace {

model::v1::Precision PrecisionProto(const std::string& name) {
  if (name == "fp32") return model::v1::PRECISION_FP32;
  if (name == "bf16") return model::v1::PRECISION_BF16;
  if (name == "fp16") return model::v1::PRECISION_FP16;
  return model::v1::PRECISION_UNSPECIFIED;
}

}  // namespace

model::v1::Model ToProto(const LoadedModel& model) {
  const ModelConfig& config = model.engine->config();
  model::v1::Model wire;
  wire.set_name(model.name);
  wire.set_revision(model.revision);
  wire.set_precision(PrecisionProto(model.engine->precision_name()));
  wire.set_prediction(config.scheduler.prediction == PredictionType::kVPrediction
                          ? model::v1::PREDICTION_TYPE_V
                          : model::v1::PREDICTION_TYPE_EPSILON);
  wire.set_native_resolution(config.native_resolution());
  *wire.mutable_loaded_at() = TimestampProto(model.loaded_at);
  return wire;
}

model::v1::ModelStatus ToProto(const ModelState& state) {
  model::v1::ModelStatus wire;
  *wire.mutable_model() = ToProto(state.model);
  wire.set_waiting(state.model.engine->waiting());
  wire.set_running(state.model.engine->running());
  wire.set_reloading(state.reloading);
  if (!state.last_error.ok()) {
    wire.set_last_error(state.last_error.ToString());
    *wire.mutable_last_error_at() = TimestampProto(state.last_error_at);
  }
  return wire;
}

}  // namespace ip2p::edit_server
