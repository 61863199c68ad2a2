// The zip reader takes what torch.save writes and refuses archives that compress, encrypt, lie or lead
// elsewhere.
#include "common/checkpoint/zip.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

using testing::Bytes;
using ::testing::HasSubstr;
using testing::Zip;
using testing::ZipMember;

void ExpectRefused(const std::string& bytes, absl::StatusCode code, const std::string& message) {
  const absl::Status status = ReadStoredZip(Bytes(bytes), "model.ckpt").status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.ckpt"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDamaged = absl::StatusCode::kDataLoss;

TEST(Zip, ReadsStoredEntriesOfBothSizes) {
  for (const bool zip64 : {false, true}) {
    const std::string bytes =
        Zip({{"a/data.pkl", "hello"}, {"a/data/0", std::string(1000, 'x')}, {"a/empty", ""}}, zip64);
    const auto entries = ReadStoredZip(Bytes(bytes), "f");
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->size(), 3u);
    EXPECT_EQ((*entries)[0].name, "a/data.pkl");
    EXPECT_EQ((*entries)[0].data.size(), 5u);
    EXPECT_EQ((*entries)[1].data.size(), 1000u);
    EXPECT_EQ((*entries)[1].data[999], std::byte{'x'});
  }
}

TEST(Zip, ReadsAnEmptyArchive) { EXPECT_TRUE(ReadStoredZip(Bytes(Zip({})), "f")->empty()); }

TEST(Zip, RefusesNamesThatLeadOut) {
  for (const std::string name : {"../x", "a/../../x", "a/..", "/etc/passwd", "a\\..\\x", "c:x"}) {
    ExpectRefused(Zip({{name, "x"}}), kInvalid, "leads out of the archive");
  }
  ExpectRefused(Zip({{std::string("a\0b", 3), "x"}}), kInvalid, "leads out of the archive");
  ExpectRefused(Zip({{std::string(2000, 'a'), "x"}}), kInvalid, "leads out of the archive");
  const std::string dotted = Zip({{"a..b/c", "x"}});
  EXPECT_TRUE(ReadStoredZip(Bytes(dotted), "f").ok());
}

TEST(Zip, RefusesDuplicateNames) { ExpectRefused(Zip({{"a", "1"}, {"a", "2"}}), kInvalid, "there twice"); }

// A bomb needs compression, so none is taken.
TEST(Zip, RefusesCompression) { ExpectRefused(Zip({{"a", "x", 0, 8}}), kInvalid, "compressed (method 8)"); }

TEST(Zip, RefusesEncryption) {
  ExpectRefused(Zip({{"a", "x", 1}}), kInvalid, "encrypted");
  ExpectRefused(Zip({{"a", "x", 0x40}}), kInvalid, "flags that are not understood");
}

TEST(Zip, RefusesLyingHeaders) {
  ExpectRefused(Zip({ZipMember{.name = "a", .data = "1234", .central_size = 5}}), kDamaged, "disagree");
  ExpectRefused(Zip({ZipMember{.name = "a", .data = "1234", .central_size = 5000, .local_size = 5000}}),
                kDamaged, "5000 bytes but only");
  ExpectRefused(Zip({ZipMember{.name = "a", .data = "1234", .central_name = "b"}}), kDamaged, "disagree");
  ExpectRefused(Zip({ZipMember{.name = "a", .data = "1234", .local_offset = 1}}), kDamaged,
                "no local header");
  ExpectRefused(Zip({ZipMember{.name = "a", .data = "1234", .local_offset = 1 << 30}}), kDamaged,
                "behind the directory");
}

TEST(Zip, RefusesOverlappingEntries) {
  // The first entry claims to reach over the second.
  const std::string inner = Zip({{"b", "1234"}}, false);
  ZipMember first{.name = "a", .data = "12345678"}, second{.name = "b", .data = "1234"};
  const std::string plain = Zip({first, second});
  const auto entries = ReadStoredZip(Bytes(plain), "f");
  ASSERT_TRUE(entries.ok());
  const auto wide = static_cast<int64_t>((*entries)[1].data.data() - (*entries)[0].data.data());
  first.central_size = first.local_size = wide;
  ExpectRefused(Zip({first, second}), kDamaged, "overlap");
}

TEST(Zip, RefusesTornArchives) {
  const std::string whole = Zip({{"a/data.pkl", "hello"}});
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string torn = whole.substr(0, length);
    EXPECT_EQ(ReadStoredZip(Bytes(torn), "f").status().code(), kDamaged) << length;
  }
  ExpectRefused(whole + "x", kDamaged, "no end record");
  ExpectRefused("x" + whole, kDamaged, "");
}

// Every single wrong byte in the headers is either noticed or changes nothing that matters; none crashes.
TEST(Zip, SurvivesEveryFlippedByte) {
  const std::string whole = Zip({{"a/data.pkl", "hello"}, {"a/data/0", "0123"}});
  size_t accepted = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto entries = ReadStoredZip(Bytes(changed), "f");
      if (!entries.ok()) continue;
      ++accepted;
      EXPECT_EQ(entries->size(), 2u);
    }
  }
  EXPECT_LT(accepted, whole.size() * 2);  // padding, times and versions are free
}

TEST(Zip, RefusesTwoEndRecordsThatDisagree) {
  std::string bytes = Zip({{"a", "1"}});
  bytes[bytes.size() - 12] ^= 1;  // the count in the small record
  bytes[bytes.size() - 14] ^= 1;
  ExpectRefused(bytes, kDamaged, "disagree");
}

TEST(Zip, RefusesSplitArchives) {
  std::string bytes = Zip({{"a", "1"}}, false);
  bytes[bytes.size() - 18] = 1;  // this disk's number
  ExpectRefused(bytes, kInvalid, "split over several files");
}

}  // namespace
}  // namespace ip2p
