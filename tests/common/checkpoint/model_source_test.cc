// OpenModel and the writers on real folders and files: what opens, what is refused with which code, what
// comes back.
#include "common/checkpoint/model_source.h"

#include <sys/stat.h>

#include <cstring>
#include <functional>
#include <limits>

#include "common/checkpoint/describe_model.h"
#include "common/checkpoint/finite_check.h"
#include "common/checkpoint/model_config_json.h"
#include "common/checkpoint/model_writer.h"
#include "common/checkpoint/safetensors.h"
#include "common/checkpoint/tensor_copy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::MakeModel;
using ::testing::Not;
using testing::SameTensors;
using testing::SmallConfig;
using testing::SmallSd2Config;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kDamaged = absl::StatusCode::kDataLoss;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class ModelSourceTest : public ::testing::Test {
 protected:
  // A folder of the small model, fresh for each test.
  std::string Folder(const ModelConfig& config = SmallConfig(), const std::string& name = "model") {
    const absl::Status saved = SaveDiffusersFolder(MakeModel(config), temp_.Path(name));
    EXPECT_TRUE(saved.ok()) << saved;
    return temp_.Path(name);
  }
  void ExpectRefused(const std::string& path, absl::StatusCode code, const std::string& message,
                     const ModelOpenOptions& options = {}) {
    const absl::Status status = OpenModel(path, options).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(temp_.root().string())));
  }
  // Rewrites one component's weights.
  void EditWeights(const std::string& file, const std::function<void(TensorMap&)>& edit) {
    auto read = ReadSafetensors(file, "f");
    ASSERT_TRUE(read.ok()) << read.status();
    edit(read->tensors);
    ASSERT_TRUE(WriteSafetensors(file, read->tensors, read->metadata).ok());
  }

  testing::TempFolder temp_;
};

void ExpectSameModel(const ModelSource& a, const ModelSource& b) {
  EXPECT_EQ(a.config, b.config);
  EXPECT_TRUE(SameTensors(a.unet, b.unet));
  EXPECT_TRUE(SameTensors(a.vae, b.vae));
  EXPECT_TRUE(SameTensors(a.text_encoder, b.text_encoder));
  EXPECT_EQ(a.vocab_json, b.vocab_json);
  EXPECT_EQ(a.merges_txt, b.merges_txt);
}

TEST_F(ModelSourceTest, FolderAndOneFileRoundTrip) {
  int number = 0;
  ModelConfig odd = SmallSd2Config();
  odd.unet.layers_per_block = {2, 1};
  odd.unet.norm_num_groups = 16;
  odd.text_encoder.num_heads = 4;
  for (const ModelConfig& config : {SmallConfig(), SmallSd2Config(), odd}) {
    const std::string name = std::to_string(++number);
    const ModelSource model = MakeModel(config);
    const auto folder = OpenModel(Folder(config, name));
    ASSERT_TRUE(folder.ok()) << folder.status();
    ExpectSameModel(*folder, model);
    EXPECT_EQ(folder->layout, "diffusers");
    ASSERT_TRUE(SaveOneFile(*folder, temp_.Path(name + ".safetensors")).ok());
    const auto one = OpenModel(temp_.Path(name + ".safetensors"));
    ASSERT_TRUE(one.ok()) << one.status();
    ExpectSameModel(*one, model);
    EXPECT_EQ(one->layout, "safetensors");
    ASSERT_TRUE(SaveDiffusersFolder(*one, temp_.Path(name + "-again")).ok());
    for (const auto& entry : fs::recursive_directory_iterator(temp_.Path(name))) {
      if (!entry.is_regular_file()) continue;
      const fs::path relative = fs::relative(entry.path(), temp_.Path(name));
      EXPECT_EQ(testing::ReadAll(entry.path()),
                testing::ReadAll(temp_.Path(name + "-again/" + relative.string())))
          << relative;
    }
  }
}

TEST_F(ModelSourceTest, ConfigTextsSurviveUnlessTheyAreStale) {
  const std::string folder = Folder();
  const std::string text = testing::ReadAll(folder + "/unet/config.json");
  const std::string noted = "{\"_note\": \"kept\"," + text.substr(1);
  temp_.Write("model/unet/config.json", noted);
  auto model = OpenModel(folder);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_TRUE(SaveDiffusersFolder(*model, temp_.Path("copy")).ok());
  EXPECT_EQ(testing::ReadAll(temp_.Path("copy/unet/config.json")), noted);
  model->config.unet.sample_size = 17;
  ASSERT_TRUE(SaveDiffusersFolder(*model, temp_.Path("changed")).ok());
  EXPECT_EQ(OpenModel(temp_.Path("changed"))->config.unet.sample_size, 17);
}

TEST_F(ModelSourceTest, RefusesPathsThatAreNoModel) {
  ExpectRefused(temp_.Path("absent"), absl::StatusCode::kNotFound, "the checkpoint does not exist");
  fs::create_directory(temp_.Path("empty"));
  ExpectRefused(temp_.Path("empty"), kInvalid, "a folder without model_index.json");
  ASSERT_EQ(mkfifo(temp_.Path("fifo.safetensors").c_str(), 0600), 0);
  ExpectRefused(temp_.Path("fifo.safetensors"), kInvalid, "a FIFO; wants a regular file");
  ExpectRefused("/dev/null", kInvalid, "a device; wants a regular file");
  ExpectRefused(temp_.Write("x.safetensors", ""), kDamaged, "the checkpoint is damaged");
  ExpectRefused(temp_.Write("x.ckpt", "garbage"), kDamaged, "the checkpoint");
  ExpectRefused(temp_.Write("notes.txt", "this is no model, whatever its name says"), kDamaged,
                "the checkpoint");
  fs::create_directory(temp_.Path("dir.safetensors"));
  ExpectRefused(temp_.Path("dir.safetensors"), kInvalid, "a folder without model_index.json");
}

TEST_F(ModelSourceTest, AFifoInsideAFolderCannotHang) {
  const std::string weights = Folder() + "/unet/diffusion_pytorch_model.safetensors";
  fs::remove(weights);
  ASSERT_EQ(mkfifo(weights.c_str(), 0600), 0);
  ExpectRefused(temp_.Path("model"), kInvalid, "unet/diffusion_pytorch_model.safetensors is a FIFO");
}

TEST_F(ModelSourceTest, NamesTheFirstTenWrongTensors) {
  const std::string folder = Folder();
  EditWeights(folder + "/unet/diffusion_pytorch_model.safetensors", [](TensorMap& tensors) {
    tensors.erase("conv_in.weight");
    tensors.erase("conv_out.bias");
    tensors["extra\n.weight"] = tensors.at("conv_in.bias");
    tensors.at("conv_in.bias").shape = {4, 8};
  });
  const std::string message(OpenModel(folder).status().message());
  ExpectRefused(folder, kPrecondition, "unet does not fit its architecture");
  EXPECT_THAT(message, HasSubstr("conv_in.weight is missing"));
  EXPECT_THAT(message, HasSubstr("conv_out.bias is missing"));
  EXPECT_THAT(message, HasSubstr("conv_in.bias is [4, 8]; wants [32]"));
  EXPECT_THAT(message, HasSubstr("\"extra\\n.weight\" is unexpected"));
  EXPECT_THAT(message, Not(HasSubstr("more")));
  EditWeights(folder + "/unet/diffusion_pytorch_model.safetensors",
              [](TensorMap& tensors) { tensors.clear(); });
  ExpectRefused(folder, kPrecondition, ", and ");
}

TEST_F(ModelSourceTest, RefusesARenamedTensorAndOneOfAnotherType) {
  const std::string folder = Folder();
  EditWeights(folder + "/vae/diffusion_pytorch_model.safetensors", [](TensorMap& tensors) {
    auto node = tensors.extract("quant_conv.bias");
    node.key() = "quant_conv.bia";
    tensors.insert(std::move(node));
    tensors.at("post_quant_conv.bias").dtype = DType::kInt32;
  });
  ExpectRefused(
      folder, kPrecondition,
      "vae does not fit its architecture: post_quant_conv.bias is I32; wants a floating-point type, "
      "quant_conv.bias is missing, \"quant_conv.bia\" is unexpected");
}

TEST_F(ModelSourceTest, RefusesMissingAndDamagedFiles) {
  const std::string folder = Folder();
  for (const char* name : {"model_index.json", "unet/config.json", "scheduler/scheduler_config.json",
                           "tokenizer/tokenizer_config.json", "tokenizer/vocab.json"}) {
    const std::string good = testing::ReadAll(folder + "/" + name);
    temp_.Write(std::string("model/") + name, "{\"torn\": ");
    ExpectRefused(folder, kDamaged, name);
    temp_.Write(std::string("model/") + name, good);
  }
  fs::remove(folder + "/tokenizer/merges.txt");
  ExpectRefused(folder, kPrecondition, "tokenizer/merges.txt is missing; wants both");
  temp_.Write("model/tokenizer/merges.txt", "#version: 0.2\n");
  fs::remove(folder + "/text_encoder/model.safetensors");
  ExpectRefused(folder, absl::StatusCode::kNotFound, "text_encoder/model.safetensors does not exist");
  fs::remove(folder + "/vae/config.json");
  ExpectRefused(folder, absl::StatusCode::kNotFound, "vae/config.json does not exist");
}

TEST_F(ModelSourceTest, RefusesPipelinesOfAnotherKind) {
  const std::string folder = Folder();
  temp_.Write("model/model_index.json",
              R"({"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]})");
  ExpectRefused(folder, kPrecondition, "model_index.json names a text_encoder_2");
}

TEST_F(ModelSourceTest, RefusesPartsThatDoNotFitTogether) {
  ModelConfig wide = SmallConfig();
  wide.text_encoder.hidden_size = 64;
  Folder(wide, "wide");
  ExpectRefused(temp_.Path("wide"), kPrecondition, "the text encoder is 64 wide; the UNet wants 32");
  ModelConfig deep = SmallConfig();
  deep.vae.latent_channels = 16;
  Folder(deep, "deep");
  ExpectRefused(temp_.Path("deep"), kPrecondition, "the VAE has 16 latent channels; the UNet wants 4");
  ExpectRefused(Folder(), kPrecondition, "the VAE has 16 latent channels", {.vae_path = temp_.Path("deep")});
}

TEST_F(ModelSourceTest, ShardsMustBeWhereTheIndexSays) {
  const std::string folder = Folder();
  const std::string whole = folder + "/unet/diffusion_pytorch_model.safetensors";
  const std::string index = "model/unet/diffusion_pytorch_model.safetensors.index.json";
  fs::rename(whole, folder + "/unet/shard.safetensors");
  const auto write_index = [&](const std::string& shard, const std::string& extra) {
    std::string map;
    for (const auto& [name, shape] : UNetTensors(SmallConfig().unet))
      map += "\"" + name + "\": \"" + shard + "\",";
    temp_.Write(index, "{\"weight_map\": {" + map + extra + "}}");
  };
  write_index("shard.safetensors", R"("conv_in.bias": "shard.safetensors")");
  EXPECT_TRUE(OpenModel(folder).ok());
  write_index("../unet/shard.safetensors", R"("conv_in.bias": "shard.safetensors")");
  ExpectRefused(folder, kDamaged, "in no plain file name");
  write_index("shard.safetensors", R"("ghost": "shard.safetensors")");
  ExpectRefused(folder, kDamaged, "but the shards have");
  write_index("absent.safetensors", R"("ghost": "absent.safetensors")");
  ExpectRefused(folder, absl::StatusCode::kNotFound, "unet/absent.safetensors does not exist");
  temp_.Write(index, "{}");
  ExpectRefused(folder, kDamaged, "wants a JSON object with weight_map");
}

TEST_F(ModelSourceTest, WeightsThatAreNotNumbersAreFound) {
  ModelSource model = MakeModel(SmallConfig());
  EXPECT_TRUE(CheckFinite(model).ok());
  TensorView& bias = model.vae.at("quant_conv.bias");
  bias = Copy(bias);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(const_cast<std::byte*>(bias.data.data()) + bias.data.size() - 4, &nan, 4);
  const absl::Status status = CheckFinite(model);
  EXPECT_EQ(status.code(), kDamaged);
  EXPECT_EQ(status.message(), "the model has weights that are not finite numbers: vae.quant_conv.bias");
}

TEST_F(ModelSourceTest, FiniteOfEveryType) {
  const auto finite = [](DType dtype, uint64_t bits) {
    const std::vector<uint64_t> data = {bits};
    return AllFinite(dtype, std::as_bytes(std::span(data)).first(DTypeSize(dtype)));
  };
  EXPECT_TRUE(finite(DType::kFloat16, 0x7bff));
  EXPECT_FALSE(finite(DType::kFloat16, 0xfc00));
  EXPECT_TRUE(finite(DType::kBFloat16, 0x7f7f));
  EXPECT_FALSE(finite(DType::kBFloat16, 0x7fc0));
  EXPECT_TRUE(finite(DType::kFloat32, 0x7f7fffff));
  EXPECT_FALSE(finite(DType::kFloat32, 0xff800000));
  EXPECT_TRUE(finite(DType::kFloat64, 0x7fefffffffffffff));
  EXPECT_FALSE(finite(DType::kFloat64, 0x7ff0000000000000));
  EXPECT_TRUE(finite(DType::kInt32, 0x7f800000));
}

TEST_F(ModelSourceTest, WritersRefuseWhatWouldNotOpen) {
  ModelSource model = MakeModel(SmallConfig());
  model.unet.erase("conv_in.bias");
  EXPECT_EQ(SaveDiffusersFolder(model, temp_.Path("x")).code(), kPrecondition);
  EXPECT_EQ(SaveOneFile(model, temp_.Path("x.safetensors")).code(), kPrecondition);
  model = MakeModel(SmallConfig());
  model.vocab_json.clear();
  EXPECT_EQ(SaveDiffusersFolder(model, temp_.Path("x")).code(), kPrecondition);
  EXPECT_FALSE(fs::exists(temp_.Path("x")));
  Folder();
  EXPECT_EQ(SaveDiffusersFolder(MakeModel(SmallConfig()), temp_.Path("model")).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(ModelSourceTest, SpecialTokensAreTheTokenizers) {
  const std::string folder = Folder();
  temp_.Write("model/tokenizer/tokenizer_config.json", R"({"pad_token": {"content": "a</w>"}})");
  temp_.Write("model/tokenizer/special_tokens_map.json", R"({"pad_token": "!"})");
  EXPECT_EQ(OpenModel(folder)->config.text_encoder.pad_token_id, 0);
  temp_.Write("model/tokenizer/tokenizer_config.json",
              R"({"pad_token": "a</w>", "added_tokens_decoder": {}})");
  EXPECT_EQ(OpenModel(folder)->config.text_encoder.pad_token_id, 1);
  temp_.Write("model/tokenizer/tokenizer_config.json",
              R"({"pad_token": "absent", "added_tokens_decoder": {}})");
  ExpectRefused(folder, kPrecondition, "the special token \"absent\" is not in the vocabulary");
}

TEST_F(ModelSourceTest, Describes) {
  const ModelDescription description = DescribeModel(MakeModel(SmallConfig()));
  EXPECT_EQ(description.family, "Stable Diffusion 1.x, InstructPix2Pix");
  ASSERT_EQ(description.parts.size(), 3u);
  int64_t parameters = 0;
  for (const auto& [name, shape] : UNetTensors(SmallConfig().unet)) {
    parameters += static_cast<int64_t>(*ByteSize(DType::kInt8, shape));
  }
  EXPECT_EQ(description.parts[0].parameters, parameters);
  EXPECT_EQ(description.parts[0].dtypes, "F32");
  EXPECT_THAT(DescriptionText(description), HasSubstr("InstructPix2Pix"));
  EXPECT_THAT(DescriptionJson(description), HasSubstr("\"parameters\": " + std::to_string(parameters)));
}

// The counts of the published SD 1.5.
TEST(ExpectedTensors, HaveThePublishedSizes) {
  const auto count = [](const ShapeMap& shapes) {
    int64_t sum = 0;
    for (const auto& [name, shape] : shapes) sum += static_cast<int64_t>(*ByteSize(DType::kInt8, shape));
    return sum;
  };
  UNetConfig unet;
  unet.in_channels = 4;
  EXPECT_EQ(count(UNetTensors(unet)), 859'520'964);
  EXPECT_EQ(UNetTensors(unet).size(), 686u);
  EXPECT_EQ(count(VaeTensors(VaeConfig())), 83'653'863);
  EXPECT_EQ(VaeTensors(VaeConfig()).size(), 248u);
  EXPECT_EQ(count(TextEncoderTensors(TextEncoderConfig())), 123'060'480);
  EXPECT_EQ(TextEncoderTensors(TextEncoderConfig()).size(), 196u);
}

}  // namespace
}  // namespace ip2p
