// The pickle interpreter builds data and nothing else: every way to name or call something is refused by
// name.
#include "common/checkpoint/pickle.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

namespace pkl = testing::pickle;
using testing::Bytes;
using ::testing::HasSubstr;
using testing::Little;
using Kind = PickleNode::Kind;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDamaged = absl::StatusCode::kDataLoss;
const std::string kProtocol2 = "\x80\x02";

void ExpectRefused(const std::string& pickle, absl::StatusCode code, const std::string& message) {
  const absl::Status status = ReadPickle(Bytes(pickle), "model.ckpt").status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.ckpt"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

std::string ShortText(const std::string& text) {  // SHORT_BINUNICODE
  return "\x8c" + std::string(1, static_cast<char>(text.size())) + text;
}

struct Attack {
  const char* what;
  std::string module, name;
};

class PickleAttack : public ::testing::TestWithParam<Attack> {
 protected:
  std::string Message() const { return "asks for \"" + GetParam().module + "." + GetParam().name + "\""; }
};

TEST_P(PickleAttack, ByGlobalAndReduce) {
  const std::string call = pkl::Global(GetParam().module, GetParam().name) + "(" + pkl::Text("id") + "tR.";
  ExpectRefused(kProtocol2 + call, kInvalid, Message());
}

TEST_P(PickleAttack, ByStackGlobal) {
  const std::string name = ShortText(GetParam().module) + ShortText(GetParam().name) + "\x93";
  ExpectRefused("\x80\x04" + name + "(" + pkl::Text("id") + "tR.", kInvalid, Message());
}

TEST_P(PickleAttack, ByInst) {
  ExpectRefused(kProtocol2 + "(" + pkl::Text("id") + "i" + GetParam().module + "\n" + GetParam().name + "\n.",
                kInvalid, Message());
}

// The name's halves come out of the memo instead of standing there.
TEST_P(PickleAttack, ByMemo) {
  const std::string memo =
      ShortText(GetParam().module) + "q\x01" + "0" + ShortText(GetParam().name) + "q\x02" + "0";
  ExpectRefused("\x80\x04" + memo + "h\x01h\x02\x93)R.", kInvalid, Message());
}

// A dot in the second half would let "torch" + "x.y" pass for "torch.x" + "y".
TEST_P(PickleAttack, BySplittingTheNameElsewhere) {
  const std::string full = GetParam().module + "." + GetParam().name;
  const size_t dot = full.find('.');
  const std::string name = ShortText(full.substr(0, dot)) + ShortText(full.substr(dot + 1)) + "\x93";
  ExpectRefused("\x80\x04" + name + ")R.", kInvalid, Message());
}

INSTANTIATE_TEST_SUITE_P(
    Names, PickleAttack,
    ::testing::Values(Attack{"OsSystem", "os", "system"}, Attack{"PosixSystem", "posix", "system"},
                      Attack{"Eval", "builtins", "eval"}, Attack{"OldEval", "__builtin__", "eval"},
                      Attack{"Exec", "builtins", "exec"}, Attack{"Getattr", "builtins", "getattr"},
                      Attack{"Import", "importlib", "import_module"}, Attack{"TorchLoad", "torch", "load"},
                      Attack{"TorchHub", "torch.hub", "load"}, Attack{"Popen", "subprocess", "Popen"},
                      Attack{"Runpy", "runpy", "run_path"}, Attack{"NumpyLoad", "numpy", "load"},
                      Attack{"Near", "torch._utils", "_rebuild_tensor_v22"},
                      Attack{"Case", "collections", "ordereddict"}),
    [](const auto& test) { return test.param.what; });

TEST(Pickle, AnAllowedNameSplitElsewhereIsRefused) {
  ExpectRefused("\x80\x04" + ShortText("torch") + ShortText("_utils._rebuild_tensor_v2") + "\x93.", kInvalid,
                "torch._utils._rebuild_tensor_v2");
}

TEST(Pickle, OnlyKnownNamesAreCalled) {
  const std::string storage = pkl::Global("torch", "FloatStorage");
  ExpectRefused(kProtocol2 + storage + ")R.", kInvalid, "a call of torch.FloatStorage");
  ExpectRefused(kProtocol2 + pkl::Text("os.system") + ")R.", kInvalid, "not a known name");
  ExpectRefused(kProtocol2 + storage + ")\x81.", kInvalid, "a new object of an unknown class");
  ExpectRefused(kProtocol2 + "]}b.", kInvalid, "attributes on plain data");
  ExpectRefused(kProtocol2 + "](o.", kInvalid, "opcode 0x6f");
  for (const char* extension : {"\x82\x01", "\x83\x01\x01", "\x84\x01\x01\x01\x01"}) {
    ExpectRefused(kProtocol2 + extension + ".", kInvalid, "opcode 0x8");
  }
}

TEST(Pickle, RefusesOldProtocols) {
  ExpectRefused("cos\nsystem\n(S'id'\ntR.", kInvalid, "protocol 0 or 1; wants 2..5");
  ExpectRefused("}q\x01.", kInvalid, "protocol 0 or 1");
  ExpectRefused("\x80\x01}.", kInvalid, "protocol 1; wants 2..5");
  ExpectRefused("\x80\x06}.", kInvalid, "protocol 6; wants 2..5");
  // Text opcodes hidden in a newer protocol.
  for (const char* op : {"I1\n", "L1L\n", "F1\n", "S'x'\n", "Vx\n", "p0\n", "g0\n", "Pid\n"}) {
    ExpectRefused(kProtocol2 + "}" + op + ".", kInvalid, "opcode 0x");
  }
}

TEST(Pickle, RefusesTornDocuments) {
  const std::string whole = pkl::Dictionary({{"a", pkl::Rebuild({})}, {"b", pkl::Int(3)}});
  ASSERT_TRUE(ReadPickle(Bytes(whole), "f").ok());
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string torn = whole.substr(0, length);
    EXPECT_FALSE(ReadPickle(Bytes(torn), "f").ok()) << length;
  }
  ExpectRefused(kProtocol2 + "X\xff\xff\xff\xff", kDamaged, "a text is cut off");
  ExpectRefused(kProtocol2 + "\x8d" + Little(~uint64_t{0}), kDamaged, "a text is cut off");
}

TEST(Pickle, RefusesBadStacks) {
  for (const char* ops : {".", "0.", "2.", "a.", "s.", "R.", "t.", "u.", "e.", "\x85.", "q\x01.", "h\x01.",
                          "1.", "Q.", "b.", "\x93.", "\x81.", "\x94."}) {
    ExpectRefused(kProtocol2 + ops, kDamaged, "byte");
  }
  ExpectRefused(kProtocol2 + "}}.", kDamaged, "STOP leaves values behind");
  ExpectRefused(kProtocol2 + "}(.", kDamaged, "empty stack");
  ExpectRefused(kProtocol2 + "(]d.", kDamaged, "a key has no value");
  ExpectRefused(kProtocol2 + "}(]u.", kDamaged, "a key has no value");
  ExpectRefused(kProtocol2 + "]K\x01K\x02s.", kDamaged, "cannot grow");
  ExpectRefused(kProtocol2 +
                    "K\x01K\x02"
                    "a.",
                kDamaged, "cannot grow");
}

TEST(Pickle, HasLimits) {
  const std::string marks(2000, '(');
  ExpectRefused(kProtocol2 + marks, kInvalid, "larger or deeper");
  const std::string many(3 << 20, ']');
  ExpectRefused(kProtocol2 + many, kInvalid, "larger or deeper");
  const std::string copies = kProtocol2 + "]" + std::string(3 << 20, '2');
  ExpectRefused(copies, kInvalid, "larger or deeper");
  const std::string huge(65 << 20, ']');
  ExpectRefused(huge, kInvalid, "bytes; wants at most");
}

// A list inside itself has no end; nothing here walks it.
TEST(Pickle, CyclesAreHarmless) {
  const std::string cycle = kProtocol2 +
                            "]q\x01h\x01"
                            "a.";
  const auto document = ReadPickle(Bytes(cycle), "f");
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ((*document)[document->root].items, std::vector<NodeId>{document->root});
}

TEST(Pickle, ReadsPlainData) {
  const std::string text =
      "\x80\x04\x95" + Little<uint64_t>(99) + "}(" + ShortText("n") + "N" + ShortText("t") + "\x88" +
      ShortText("i") + "J" + Little(static_cast<uint32_t>(-5)) + ShortText("l") +
      pkl::Long(-(int64_t{1} << 40)) + ShortText("f") + "G12345678" + ShortText("b") + "C\x03xyz" +
      ShortText("tuple") + "K\x01M\x02\x01\x86" + ShortText("list") + "](K\x07K\x08" + "e" +
      ShortText("big") + "\x8a\x09" + std::string(9, '\x7f') + "u.";
  const auto document = ReadPickle(Bytes(text), "f");
  ASSERT_TRUE(document.ok()) << document.status();
  const PickleNode& root = (*document)[document->root];
  EXPECT_EQ(document->Find(root, "n")->kind, Kind::kNone);
  EXPECT_EQ(document->Find(root, "t")->number, 1);
  EXPECT_EQ(document->Find(root, "i")->number, -5);
  EXPECT_EQ(document->Find(root, "l")->number, -(int64_t{1} << 40));
  EXPECT_EQ(document->Find(root, "f")->kind, Kind::kFloat);
  EXPECT_EQ(document->Find(root, "b")->text, "xyz");
  EXPECT_EQ(document->Find(root, "big")->kind, Kind::kOpaque);
  EXPECT_EQ(document->Find(root, "absent"), nullptr);
  const PickleNode& tuple = *document->Find(root, "tuple");
  EXPECT_EQ((*document)[tuple.items[0]].number, 1);
  EXPECT_EQ((*document)[tuple.items[1]].number, 0x0102);
  EXPECT_EQ(document->Find(root, "list")->items.size(), 2u);
}

// What published checkpoints carry in "callbacks" and scores.
TEST(Pickle, TrainingLeftoversAreOpaque) {
  const std::string callback = pkl::Global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint");
  const std::string scalar = pkl::Global("numpy.core.multiarray", "scalar") + "(" +
                             pkl::Global("numpy", "dtype") + "(" + pkl::Text("f8") + "K\x02K\x01tR(K\x03" +
                             pkl::Text("<") +
                             "NtbC\x08"
                             "12345678tR";
  const std::string text = kProtocol2 + "}(" + pkl::Text("callbacks") + "}(" + callback + "}u" +
                           pkl::Text("object") + callback + ")\x81}b" + pkl::Text("score") + scalar + "u.";
  const auto document = ReadPickle(Bytes(text), "f");
  ASSERT_TRUE(document.ok()) << document.status();
  const PickleNode& root = (*document)[document->root];
  EXPECT_EQ(document->Find(root, "score")->kind, Kind::kOpaque);
  EXPECT_EQ(document->Find(root, "object")->kind, Kind::kOpaque);
}

TEST(Pickle, MalformedTensorsAreDamaged) {
  const std::string rebuild = pkl::Global("torch._utils", "_rebuild_tensor_v2");
  ExpectRefused(kProtocol2 + rebuild + ")R.", kDamaged, "(storage, offset, shape, stride)");
  ExpectRefused(kProtocol2 + rebuild + "(K\x01K\x02K\x03K\x04tR.", kDamaged,
                "(storage, offset, shape, stride)");
  ExpectRefused(kProtocol2 + rebuild + "]R.", kDamaged, "no argument tuple");
  ExpectRefused(kProtocol2 + "(" + pkl::Text("storage") + pkl::Global("collections", "OrderedDict") +
                    pkl::Text("0") + pkl::Text("cpu") + "K\x01tQ.",
                kDamaged, "no element type");
  ExpectRefused(kProtocol2 + pkl::Text("os.system") + "Q.", kDamaged, "not a storage");
  ExpectRefused(kProtocol2 + pkl::Global("torch._utils", "_rebuild_parameter") + "(K\x01tR.", kDamaged,
                "not a tensor");
  ExpectRefused(kProtocol2 + pkl::Global("collections", "OrderedDict") + "(]tR.", kDamaged, "from arguments");
}

}  // namespace
}  // namespace ip2p
