// Remembers the answers of named requests, the latest used first, within a bound of bytes and of count.
// Not thread-safe: the queue's lock guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "services/edit_server/edit_task.h"

namespace ip2p::edit_server {

class AnswerMemory {
 public:
  AnswerMemory(size_t max_bytes, size_t max_count) : max_bytes_(max_bytes), max_count_(max_count) {}

  struct Entry {
    std::string key;
    uint64_t fingerprint = 0;
    std::shared_ptr<const EditAnswer> answer;
  };

  // Null: forgotten or never seen. Valid until the next Remember.
  const Entry* Find(const std::string& key);
  // Forgets the longest unused ones to make room; an answer larger than the whole bound isn't remembered.
  void Remember(Entry entry);

  size_t bytes() const { return bytes_; }
  size_t count() const { return entries_.size(); }

 private:
  const size_t max_bytes_;
  const size_t max_count_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // the latest used first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace ip2p::edit_server
