// The client against a server inside of the test: events, faults, tokens, Ctrl-C.
#include <gmock/gmock.h>
#include <grpcpp/server_builder.h>

#include "common/base/json.h"
#include "common/diffusion/kinds.h"
#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/rpc/status.h"
#include "ip2p/edit/v1/edit_service.grpc.pb.h"
#include "ip2p/model/v1/model_service.grpc.pb.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using edit::v1::StreamEditRequest;
using edit::v1::StreamEditResponse;
using ::testing::HasSubstr;
using ::testing::Not;

// Answers with what the test sets; remembers what it was asked.
class FakeEditService : public edit::v1::EditService::Service {
 public:
  grpc::Status StreamEdit(grpc::ServerContext* context, const StreamEditRequest* asked,
                          grpc::ServerWriter<StreamEditResponse>* writer) override {
    request = *asked;
    const auto& metadata = context->client_metadata();
    const auto found = metadata.find("authorization");
    authorization = found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
    for (const StreamEditResponse& event : events) writer->Write(event);
    if (on_streamed) on_streamed();
    return status;
  }

  grpc::Status ListModels(grpc::ServerContext*, const edit::v1::ListModelsRequest*,
                          edit::v1::ListModelsResponse* answer) override {
    model::v1::Model& model = *answer->add_models();
    model.set_name("sd15-edit");
    model.set_revision(3);
    model.set_precision(model::v1::PRECISION_BF16);
    model.set_prediction(model::v1::PREDICTION_TYPE_EPSILON);
    model.set_native_resolution(512);
    return grpc::Status::OK;
  }

  grpc::Status GetCapabilities(grpc::ServerContext*, const edit::v1::GetCapabilitiesRequest*,
                               edit::v1::GetCapabilitiesResponse* answer) override {
    answer->set_version("9.9");
    answer->add_samplers(edit::v1::SAMPLER_EULER_A);
    answer->mutable_limits()->set_max_steps(1000);
    return grpc::Status::OK;
  }

  std::vector<StreamEditResponse> events;
  grpc::Status status;
  std::function<void()> on_streamed;
  StreamEditRequest request;
  std::string authorization;
};

class FakeModelService : public model::v1::ModelService::Service {
 public:
  grpc::Status ReloadModel(grpc::ServerContext*, const model::v1::ReloadModelRequest* asked,
                           model::v1::ReloadModelResponse* answer) override {
    if (asked->checkpoint() == "bad") return {grpc::StatusCode::FAILED_PRECONDITION, "tensors are missing"};
    answer->mutable_model()->mutable_model()->set_name(asked->name());
    answer->mutable_model()->mutable_model()->set_revision(4);
    answer->mutable_load_time()->set_seconds(2);
    return grpc::Status::OK;
  }
};

class RemoteTest : public testing::CliTest {
 protected:
  RemoteTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    builder.RegisterService(&models_);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
    picture_ = *EncodeImage({8, 8, std::vector<uint8_t>(8 * 8 * 3, 50)});
    input_ = Put("in.png", picture_);
  }

  ~RemoteTest() override { server_->Shutdown(); }

  int Edit(const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"edit", "-i",          input_,     "-o",     Path("out.png"),
                                     "-e",   "make it red", "--server", address_, "--seed",
                                     "7"};
    args.insert(args.end(), more.begin(), more.end());
    return Run(args);
  }

  void AddAccepted(int position, int seconds) {
    StreamEditResponse event;
    event.mutable_accepted()->set_position(position);
    event.mutable_accepted()->mutable_estimate()->set_seconds(seconds);
    service_.events.push_back(event);
  }

  void AddStep(int step, bool preview = false) {
    StreamEditResponse event;
    event.mutable_progress()->set_step(step);
    event.mutable_progress()->set_steps(100);
    if (preview) event.mutable_progress()->mutable_preview()->set_data("sketch");
    service_.events.push_back(event);
  }

  void AddResult(int count = 1) {
    StreamEditResponse event;
    for (int i = 0; i < count; ++i) {
      edit::v1::EditOutput& output = *event.mutable_result()->add_outputs();
      output.mutable_image()->set_data(picture_);
      output.mutable_image()->set_width(8);
      output.mutable_image()->set_height(8);
      output.set_seed(7 + i);
    }
    event.mutable_result()->set_model("sd15-edit");
    service_.events.push_back(event);
  }

  FakeEditService service_;
  FakeModelService models_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_, picture_, input_;
};

TEST_F(RemoteTest, AMaskGoesAsItIs) {
  AddResult();
  const std::string mask = Put("mask.png", "any bytes: the server judges them");
  ASSERT_EQ(Edit({"--mask", mask, "--mask-feather", "3"}), kExitOk) << err_.str();
  EXPECT_EQ(service_.request.edit().mask().data(), "any bytes: the server judges them");
  EXPECT_EQ(service_.request.edit().params().mask_feather(), 3);
  EXPECT_FALSE(service_.request.edit().params().has_auto_mask());
}

TEST_F(RemoteTest, AnAutoMaskComesBack) {
  AddResult(2);
  for (edit::v1::EditOutput& output : *service_.events.back().mutable_result()->mutable_outputs()) {
    output.mutable_mask()->set_data("mask of " + std::to_string(output.seed()));
  }
  ASSERT_EQ(Edit({"--auto-mask", "0.4", "--mask-output", Path("mask.png"), "--count", "2", "--json"}),
            kExitOk)
      << err_.str();
  EXPECT_EQ(service_.request.edit().params().auto_mask(), 0.4);
  EXPECT_FALSE(service_.request.edit().has_mask());
  EXPECT_EQ(Get("mask-0.png"), "mask of 7");
  EXPECT_EQ(Get("mask-1.png"), "mask of 8");
  const nlohmann::json report = nlohmann::json::parse(out_.str(), nullptr, false);
  EXPECT_EQ(report["outputs"][1]["mask"], Path("mask-1.png"));
  EXPECT_EQ(report["params"]["auto_mask"], 0.4);
}

TEST_F(RemoteTest, AnAutoMaskThatIsMissingIsTheServersFault) {
  AddResult();
  EXPECT_EQ(Edit({"--auto-mask"}), kExitInternal);
  EXPECT_EQ(service_.request.edit().params().auto_mask(), 0.5);
  EXPECT_THAT(err_.str(), HasSubstr("holds no mask"));
}

TEST_F(RemoteTest, PhotoGoesAndPictureComesBack) {
  AddAccepted(2, 40);
  AddStep(50);
  AddStep(100);
  AddResult();
  ASSERT_EQ(
      Edit({"--sampler", "dpmpp_2m_sde", "--schedule", "karras", "--cfg-image", "1.25", "--model", "m"}),
      kExitOk)
      << err_.str();
  EXPECT_EQ(Get("out.png"), picture_);
  EXPECT_THAT(err_.str(), HasSubstr("queued behind 2 edits, about 0:40\nstep 50 of 100\nstep 100 of 100"));

  const edit::v1::EditRequest& asked = service_.request.edit();
  EXPECT_EQ(asked.image().data(), picture_);
  EXPECT_EQ(asked.model(), "m");
  EXPECT_EQ(asked.output().format(), image::v1::IMAGE_FORMAT_PNG);
  EXPECT_EQ(asked.output().quality(), 95);
  EXPECT_EQ(asked.params().instruction(), "make it red");
  EXPECT_EQ(asked.params().seed(), 7);
  EXPECT_EQ(asked.params().steps(), 100);
  EXPECT_FALSE(asked.params().has_resolution()) << "the model's own";
  EXPECT_EQ(asked.params().cfg_text(), 7.5);
  EXPECT_EQ(asked.params().cfg_image(), 1.25);
  EXPECT_EQ(asked.params().sampler(), edit::v1::SAMPLER_DPMPP_2M_SDE);
  EXPECT_EQ(asked.params().schedule(), edit::v1::SIGMA_SCHEDULE_KARRAS);
  EXPECT_EQ(service_.request.preview_every(), 0);
}

TEST_F(RemoteTest, EverySamplerHasItsWireName) {
  AddResult();
  for (const SamplerKind kind : AllSamplers()) {
    ASSERT_EQ(Edit({"--sampler", SamplerName(kind)}), kExitOk) << err_.str();
    EXPECT_NE(service_.request.edit().params().sampler(), edit::v1::SAMPLER_UNSPECIFIED) << SamplerName(kind);
  }
  for (const char* schedule : {"default", "karras", "exponential"}) {
    ASSERT_EQ(Edit({"--schedule", schedule}), kExitOk) << err_.str();
    EXPECT_NE(service_.request.edit().params().schedule(), edit::v1::SIGMA_SCHEDULE_UNSPECIFIED) << schedule;
  }
}

TEST_F(RemoteTest, TerminalGetsABar) {
  terminal_ = true;
  AddStep(50);
  AddResult();
  ASSERT_EQ(Edit(), kExitOk);
  EXPECT_THAT(err_.str(), HasSubstr("\r[####################....................]  50/100"));
}

TEST_F(RemoteTest, SeveralPicturesAndJson) {
  AddResult(2);
  ASSERT_EQ(Edit({"--count", "2", "--json"}), kExitOk) << err_.str();
  const nlohmann::json report = nlohmann::json::parse(out_.str());
  EXPECT_EQ(report["outputs"][1]["path"], Path("out-1.png"));
  EXPECT_EQ(report["outputs"][1]["seed"], 8);
  EXPECT_EQ(report["outputs"][1]["width"], 8);
  EXPECT_EQ(report["model"], "sd15-edit");
  EXPECT_TRUE(Exists("out-0.png") && Exists("out-1.png"));
}

TEST_F(RemoteTest, SketchesAreKept) {
  AddStep(10, true);
  AddResult();
  ASSERT_EQ(Edit({"--preview-dir", Path("."), "--preview-every", "10"}), kExitOk) << err_.str();
  EXPECT_EQ(service_.request.preview_every(), 10);
  EXPECT_EQ(Get("preview-0-010.png"), "sketch");
  ASSERT_EQ(Edit({"--preview-dir", Path("none")}), kExitOk) << "a fault with sketches does not end the edit";
  EXPECT_THAT(err_.str(), HasSubstr("no sketches: "));
}

TEST_F(RemoteTest, ServerFaultsBecomeExitCodes) {
  const struct {
    grpc::StatusCode code;
    int wanted;
  } cases[] = {
      {grpc::StatusCode::INVALID_ARGUMENT, 42},
      {grpc::StatusCode::NOT_FOUND, 42},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, 75},
      {grpc::StatusCode::DEADLINE_EXCEEDED, 75},
      {grpc::StatusCode::UNAVAILABLE, 69},
      {grpc::StatusCode::UNAUTHENTICATED, 77},
      {grpc::StatusCode::INTERNAL, 1},
  };
  for (const auto& c : cases) {
    service_.status = {c.code, "steps is 0; wants 1..1000"};
    EXPECT_EQ(Edit(), c.wanted);
    EXPECT_THAT(err_.str(), HasSubstr("ip2p: steps is 0; wants 1..1000\n"));
    EXPECT_FALSE(Exists("out.png"));
  }
}

TEST_F(RemoteTest, RetryHintIsTold) {
  service_.status = ToGrpc(WithRetryAfter(absl::ResourceExhaustedError("queue is full"), absl::Seconds(12)));
  EXPECT_EQ(Edit(), kExitTemporary);
  EXPECT_THAT(err_.str(), HasSubstr("try again in 12s"));
}

TEST_F(RemoteTest, BrokenAnswersAreInternal) {
  EXPECT_EQ(Edit(), kExitInternal);  // OK without a result
  EXPECT_THAT(err_.str(), HasSubstr("without a result"));
  AddResult(2);
  EXPECT_EQ(Edit(), kExitInternal);
  EXPECT_THAT(err_.str(), HasSubstr("holds 2 pictures; wants 1"));
}

TEST_F(RemoteTest, NoServerIsUnavailable) {
  server_->Shutdown();
  EXPECT_EQ(Edit(), kExitUnavailable);
}

TEST_F(RemoteTest, CancelEndsTheCall) {
  AddStep(1);
  service_.on_streamed = [this] { cancellation_.Cancel(); };
  service_.status = {grpc::StatusCode::CANCELLED, "given up"};
  EXPECT_EQ(Edit(), kExitCancelled);
  EXPECT_FALSE(Exists("out.png"));
  EXPECT_EQ(exits_, 0);
}

TEST_F(RemoteTest, TokenComesFromFileOrVariable) {
  AddResult();
  ASSERT_EQ(Edit(), kExitOk);
  EXPECT_EQ(service_.authorization, "");
  const testing::Variable variable("IP2P_TOKEN", "from-variable");
  ASSERT_EQ(Edit(), kExitOk);
  EXPECT_EQ(service_.authorization, "Bearer from-variable");
  ASSERT_EQ(Edit({"--token-file", Put("token", "from-file\n")}), kExitOk);
  EXPECT_EQ(service_.authorization, "Bearer from-file");
  EXPECT_EQ(Edit({"--token-file", Put("token", "two words")}), kExitBadInput);
  EXPECT_THAT(err_.str(), Not(HasSubstr("two words")));
  EXPECT_EQ(Edit({"--token-file", Path("none")}), kExitBadInput);
}

TEST_F(RemoteTest, HalfOfAKeyPairIsRefused) {
  EXPECT_EQ(Edit({"--tls-cert", Put("cert", "x")}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("wants both or none"));
}

TEST_F(RemoteTest, TlsToAPlainServerIsUnavailable) { EXPECT_EQ(Edit({"--tls"}), kExitUnavailable); }

TEST_F(RemoteTest, AFlagWinsOverItsVariableInEveryVerb) {
  const testing::Variable variable("IP2P_SERVER", "127.0.0.1:1");
  for (const char* verb : {"models", "capabilities"}) {
    EXPECT_EQ(Run({"server", verb, "--server", address_}), kExitOk) << verb << ": " << err_.str();
  }
}

TEST_F(RemoteTest, ServerCommands) {
  ASSERT_EQ(Run({"server", "models", "--server", address_}), kExitOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("sd15-edit"));
  EXPECT_THAT(out_.str(), HasSubstr("bf16    epsilon        512"));
  ASSERT_EQ(Run({"server", "models", "--server", address_, "--json"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["models"][0]["precision"], "PRECISION_BF16");
  ASSERT_EQ(Run({"server", "capabilities", "--server", address_}), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("samplers             euler_a\n"));
  EXPECT_THAT(out_.str(), HasSubstr("at most 1000, default"));
  ASSERT_EQ(Run({"server", "capabilities", "--server", address_, "--json"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["version"], "9.9");
  ASSERT_EQ(Run({"server", "reload", "--server", address_, "--name", "m"}), kExitOk);
  EXPECT_EQ(out_.str(), "m revision 4 serves, loaded in 2.0 s\n");
  EXPECT_EQ(Run({"server", "reload", "--server", address_, "--checkpoint", "bad"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("tensors are missing"));
}

}  // namespace
}  // namespace ip2p
