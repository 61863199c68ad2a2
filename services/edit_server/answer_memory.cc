// A list in order of use and an index into it.
#include "services/edit_server/answer_memory.h"

#include <utility>

namespace ip2p::edit_server {

const AnswerMemory::Entry* AnswerMemory::Find(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &entries_.front();
}

void AnswerMemory::Remember(Entry entry) {
  if (entry.answer->bytes() > max_bytes_ || max_count_ == 0) return;
  if (const auto old = by_key_.find(entry.key); old != by_key_.end()) {
    bytes_ -= old->second->answer->bytes();
    entries_.erase(old->second);
    by_key_.erase(old);
  }
  bytes_ += entry.answer->bytes();
  entries_.push_front(std::move(entry));
  by_key_[entries_.front().key] = entries_.begin();
  while (bytes_ > max_bytes_ || entries_.size() > max_count_) {
    bytes_ -= entries_.back().answer->bytes();
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace ip2p::edit_server
