// What is remembered, for how long.
#include "services/edit_server/answer_memory.h"

#include "gtest/gtest.h"

namespace ip2p::edit_server {
namespace {

AnswerMemory::Entry Entry(const std::string& key, size_t bytes) {
  auto answer = std::make_shared<EditAnswer>();
  answer->outputs.push_back({.file = std::string(bytes, 'x')});
  return {key, 1, std::move(answer)};
}

TEST(AnswerMemoryTest, ForgetsWhatWasNotUsedForLongest) {
  AnswerMemory memory(/*max_bytes=*/100, /*max_count=*/10);
  memory.Remember(Entry("a", 40));
  memory.Remember(Entry("b", 40));
  ASSERT_NE(memory.Find("a"), nullptr);  // used: b is the oldest now
  memory.Remember(Entry("c", 40));
  EXPECT_NE(memory.Find("a"), nullptr);
  EXPECT_EQ(memory.Find("b"), nullptr);
  EXPECT_NE(memory.Find("c"), nullptr);
  EXPECT_EQ(memory.bytes(), 80u);
}

TEST(AnswerMemoryTest, HasABoundOfCount) {
  AnswerMemory memory(1000, 2);
  for (const char* key : {"a", "b", "c"}) memory.Remember(Entry(key, 1));
  EXPECT_EQ(memory.count(), 2u);
  EXPECT_EQ(memory.Find("a"), nullptr);
}

TEST(AnswerMemoryTest, WhatIsTooLargeIsNotRememberedAndPushesNothingOut) {
  AnswerMemory memory(100, 10);
  memory.Remember(Entry("a", 50));
  memory.Remember(Entry("b", 101));
  EXPECT_NE(memory.Find("a"), nullptr);
  EXPECT_EQ(memory.Find("b"), nullptr);
}

TEST(AnswerMemoryTest, TheSameKeyIsReplaced) {
  AnswerMemory memory(100, 10);
  memory.Remember(Entry("a", 50));
  memory.Remember(Entry("a", 60));
  EXPECT_EQ(memory.bytes(), 60u);
  EXPECT_EQ(memory.count(), 1u);
}

TEST(AnswerMemoryTest, NothingIsRememberedInNoSpace) {
  AnswerMemory memory(0, 10);
  memory.Remember(Entry("a", 1));
  EXPECT_EQ(memory.Find("a"), nullptr);
}

}  // namespace
}  // namespace ip2p::edit_server
