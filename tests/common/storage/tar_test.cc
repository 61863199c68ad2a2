// Archives: equal members are equal bytes, long names, and what strangers' archives may hold.
#include "common/storage/tar.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class TarTest : public ::testing::Test {
 protected:
  static std::string Write(const std::vector<std::pair<std::string, std::string>>& members) {
    std::string archive;
    TarWriter writer([&archive](std::string_view bytes) {
      archive += bytes;
      return absl::OkStatus();
    });
    for (const auto& [name, contents] : members) {
      const int64_t before = writer.bytes();
      EXPECT_TRUE(writer.Add(name, contents).ok());
      EXPECT_EQ(writer.bytes() - before, TarWriter::BytesOf(name, static_cast<int64_t>(contents.size())));
    }
    EXPECT_TRUE(writer.Finish().ok());
    return archive;
  }

  // All members, or the first error.
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Read(const std::string& archive) {
    const std::string path = folder_.Write("a.tar", archive);
    const int fd = ::open(path.c_str(), O_RDONLY);
    TarReader reader(fd, "a.tar", /*max_member_bytes=*/5000);
    std::vector<std::pair<std::string, std::string>> members;
    absl::Status status;
    while (true) {
      TarMember member;
      const absl::StatusOr<bool> more = reader.Next(member);
      status = more.status();
      if (!more.ok() || !*more) break;
      members.emplace_back(member.name, member.contents);
    }
    passed_over_ = reader.passed_over();
    ::close(fd);
    if (!status.ok()) return status;
    return members;
  }

  // With its checksum put right.
  static std::string Patched(std::string archive, size_t at, const std::string& bytes) {
    archive.replace(at, bytes.size(), bytes);
    archive.replace(148, 8, 8, ' ');
    int sum = 0;
    for (size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(archive[i]);
    const std::string digits = absl::StrFormat("%06o", sum);
    return archive.replace(148, 7, digits + std::string(1, '\0'));
  }

  TempFolder folder_;
  int64_t passed_over_ = 0;
};

TEST_F(TarTest, ReadsWhatItWrote) {
  const std::string long_name = std::string(150, 'n') + "/" + std::string(90, 'm');
  const std::string archive = Write({{"a.jpg", "one"}, {"empty", ""}, {long_name, std::string(513, 'x')}});
  EXPECT_EQ(archive.size() % 512, 0U);
  EXPECT_THAT(Read(archive).value(),
              ElementsAre(Pair("a.jpg", "one"), Pair("empty", ""), Pair(long_name, std::string(513, 'x'))));
  EXPECT_EQ(archive, Write({{"a.jpg", "one"}, {"empty", ""}, {long_name, std::string(513, 'x')}}));
}

TEST_F(TarTest, EndsWithoutItsEmptyBlocksToo) {
  const std::string archive = Write({{"a", "one"}});
  EXPECT_THAT(Read(archive.substr(0, 1024)).value(), ElementsAre(Pair("a", "one")));
  EXPECT_THAT(Read("").value(), ElementsAre());
}

TEST_F(TarTest, CutShortAnywhereIsDamage) {
  const std::string archive = Write({{"a", std::string(700, 'x')}});
  for (const size_t size : {1U, 511U, 513U, 1000U, 1211U}) {
    EXPECT_TRUE(absl::IsDataLoss(Read(archive.substr(0, size)).status())) << size;
  }
}

TEST_F(TarTest, AChangedHeaderIsDamage) {
  const std::string archive = Write({{"a", "one"}});
  for (const size_t at : {0U, 100U, 124U, 156U, 300U, 511U}) {
    std::string damaged = archive;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_TRUE(absl::IsDataLoss(Read(damaged).status())) << at;
  }
  EXPECT_TRUE(absl::IsDataLoss(Read(std::string(2048, 'x')).status()));
}

TEST_F(TarTest, LinksAndDevicesArePassedOver) {
  const std::string archive = Write({{"a", ""}, {"b", "two"}});
  for (const char* const type : {"1", "2", "3", "4", "6"}) {
    EXPECT_THAT(Read(Patched(archive, 156, type)).value(), ElementsAre(Pair("b", "two"))) << type;
    EXPECT_EQ(passed_over_, 1) << type;
  }
  EXPECT_THAT(Read(Patched(archive, 156, "5")).value(), ElementsAre(Pair("b", "two")));
  EXPECT_EQ(passed_over_, 0);
}

TEST_F(TarTest, AbsurdSizesAreRefused) {
  const std::string archive = Write({{"a", "one"}});
  EXPECT_TRUE(absl::IsDataLoss(Read(Patched(archive, 124, "77777777777")).status()));  // more than there is
  EXPECT_TRUE(absl::IsDataLoss(Read(Patched(archive, 124, "7777777777x")).status()));
  // GNU's base 256: 2^63 and more.
  EXPECT_FALSE(
      Read(Patched(archive, 124, std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12))).ok());
  EXPECT_TRUE(absl::IsDataLoss(Read(Patched(archive, 156, "x")).status()));  // "one" is no pax header
}

TEST_F(TarTest, ALargeMemberIsPassedOverAndTold) {
  const std::string path =
      folder_.Write("a.tar", Write({{"a", "1"}, {"b", std::string(5001, 'x')}, {"c", "3"}}));
  const int fd = ::open(path.c_str(), O_RDONLY);
  TarReader reader(fd, "a.tar", /*max_member_bytes=*/5000);
  std::vector<std::string> seen;
  TarMember member;
  while (reader.Next(member).value()) {
    seen.push_back(absl::StrFormat("%s %d %d", member.name, member.contents.size(), member.too_large));
  }
  ::close(fd);
  EXPECT_THAT(seen, ElementsAre("a 1 0", "b 0 1", "c 1 0"));
}

TEST_F(TarTest, SizesNearTheEndOfNumbers) {
  for (const char* const size : {"9223372036854775807", "9223372036854775296", "9223372036854774784"}) {
    const std::string pax = absl::StrFormat("28 size=%s\n", size);
    const std::string archive = Write({{"p", pax}, {"a", "one"}});
    EXPECT_TRUE(absl::IsDataLoss(Read(Patched(archive, 156, "x")).status())) << size;
  }
  // The largest number in base 256, of a kind that is passed over.
  const std::string largest("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
  EXPECT_TRUE(
      absl::IsDataLoss(Read(Patched(Patched(Write({{"a", "one"}}), 124, largest), 156, "V")).status()));
}

TEST_F(TarTest, PaxLengthsMustFit) {
  const auto pax = [this](const std::string& text) {
    return Read(Patched(Write({{"p", text}, {"a", "one"}}), 156, "x"));
  };
  EXPECT_THAT(pax("12 path=new\n").value(), ElementsAre(Pair("new", "one")));
  EXPECT_THAT(pax("13 mtime=1.5\n").value(), ElementsAre(Pair("a", "one")));
  for (const char* const text :
       {"99 path=new\n", "0 path=new\n", "-5 path=new\n", "12path=new\n", "8 pathx\n", "11 path=new\n",
        "10 size=-1\n", "3 a", "99999999999999999999 path=a\n"}) {
    EXPECT_TRUE(absl::IsDataLoss(pax(text).status())) << text;
  }
}

}  // namespace
}  // namespace ip2p
