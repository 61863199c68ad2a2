#include "common/checkpoint/pickle.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/byte_reader.h"
#include "common/checkpoint/pickle_globals.h"
#include "common/checkpoint/text_quote.h"

namespace ip2p {
namespace {

using Kind = PickleNode::Kind;
using Role = PickleGlobal::Role;

// A full Stable Diffusion training checkpoint has some 10^5 nodes in 2 MB.
constexpr size_t kMaxBytes = 64 << 20;
constexpr size_t kMaxNodes = 1 << 20;
constexpr size_t kMaxStack = 1 << 20;
constexpr size_t kMaxMarks = 1024;  // how deeply containers nest while they are being built
constexpr size_t kMaxMemo = 1 << 20;

class Machine {
 public:
  Machine(std::span<const std::byte> pickle, const std::string& label) : reader_(pickle), label_(label) {}

  absl::StatusOr<PickleDocument> Run() {
    uint8_t op = 0, protocol = 0;
    if (!reader_.Read(op) || op != 0x80 || !reader_.Read(protocol)) {
      return absl::InvalidArgumentError(absl::StrCat(label_, " is a pickle of protocol 0 or 1; wants 2..5"));
    }
    if (protocol < 2 || protocol > 5) {
      return absl::InvalidArgumentError(
          absl::StrCat(label_, " is a pickle of protocol ", protocol, "; wants 2..5"));
    }
    while (true) {
      if (!reader_.Read(op)) return Damaged("it ends without STOP");
      if (op == '.') break;
      IP2P_RETURN_IF_ERROR(Step(op));
      if (document_.nodes.size() > kMaxNodes || stack_.size() > kMaxStack || marks_.size() > kMaxMarks ||
          memo_.size() > kMaxMemo) {
        return absl::InvalidArgumentError(
            absl::StrCat(label_, " is larger or deeper than a checkpoint's pickle"));
      }
    }
    IP2P_ASSIGN_OR_RETURN(document_.root, Pop());
    if (!stack_.empty() || !marks_.empty()) return Damaged("STOP leaves values behind");
    return std::move(document_);
  }

 private:
  absl::Status Damaged(const std::string& what) const {
    return absl::DataLossError(
        absl::StrCat(label_, " is a damaged pickle: ", what, " (byte ", reader_.position(), ")"));
  }
  absl::Status NotAllowed(const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(label_, " asks for ", what, ", which is not allowed; wants tensors and plain data"));
  }

  PickleNode& Node(NodeId id) { return document_.nodes[id]; }
  NodeId Add(PickleNode node) {
    document_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(document_.nodes.size() - 1);
  }
  absl::Status Push(PickleNode node) {
    stack_.push_back(Add(std::move(node)));
    return absl::OkStatus();
  }
  absl::Status PushNumber(Kind kind, int64_t number) { return Push({.kind = kind, .number = number}); }

  // The part of the stack above the last mark; nothing below a mark can be popped.
  size_t Floor() const { return marks_.empty() ? 0 : marks_.back(); }
  absl::StatusOr<NodeId> Pop() {
    if (stack_.size() <= Floor()) return Damaged("it takes from an empty stack");
    const NodeId id = stack_.back();
    stack_.pop_back();
    return id;
  }
  absl::StatusOr<NodeId> Top() const {
    if (stack_.size() <= Floor()) return Damaged("it looks at an empty stack");
    return stack_.back();
  }
  absl::StatusOr<std::vector<NodeId>> PopToMark() {
    if (marks_.empty()) return Damaged("it has no mark");
    std::vector<NodeId> items(stack_.begin() + marks_.back(), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  template <typename Length>
  absl::Status PushText(Kind kind) {
    Length length = 0;
    PickleNode node{.kind = kind};
    if (!reader_.Read(length) || !reader_.Text(length, node.text)) return Damaged("a text is cut off");
    return Push(std::move(node));
  }

  absl::Status PushInt(size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      uint8_t byte = 0;
      if (!reader_.Read(byte)) return Damaged("a number is cut off");
      value |= static_cast<uint64_t>(byte) << (8 * i);
    }
    return PushNumber(Kind::kInt, bytes == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value));
  }

  // Two's complement of any length; beyond 64 bits it is no count of anything.
  template <typename Length>
  absl::Status PushLong() {
    Length length = 0;
    std::string_view digits;
    if (!reader_.Read(length) || !reader_.Text(length, digits)) return Damaged("a number is cut off");
    if (digits.size() > 8) return Push({.kind = Kind::kOpaque});
    uint64_t value = !digits.empty() && (digits.back() & 0x80) ? ~uint64_t{0} : 0;
    for (size_t i = 0; i < digits.size(); ++i) {
      value &= ~(uint64_t{0xff} << (8 * i));
      value |= static_cast<uint64_t>(static_cast<uint8_t>(digits[i])) << (8 * i);
    }
    return PushNumber(Kind::kInt, static_cast<int64_t>(value));
  }

  absl::Status Gather(Kind kind, size_t count) {
    PickleNode node{.kind = kind};
    for (size_t i = 0; i < count; ++i) {
      IP2P_ASSIGN_OR_RETURN(NodeId item, Pop());
      node.items.insert(node.items.begin(), item);
    }
    return Push(std::move(node));
  }
  absl::Status GatherToMark(Kind kind) {
    PickleNode node{.kind = kind};
    IP2P_ASSIGN_OR_RETURN(node.items, PopToMark());
    if (kind == Kind::kDict && node.items.size() % 2 != 0) return Damaged("a key has no value");
    return Push(std::move(node));
  }

  // Appends to the list, dictionary or opaque thing on top of the stack.
  absl::Status Extend(Kind wanted, std::vector<NodeId> items) {
    IP2P_ASSIGN_OR_RETURN(const NodeId id, Top());
    PickleNode& target = Node(id);
    if (target.kind == Kind::kOpaque) return absl::OkStatus();
    if (target.kind != wanted) return Damaged("it adds to something that cannot grow");
    if (wanted == Kind::kDict && items.size() % 2 != 0) return Damaged("a key has no value");
    target.items.insert(target.items.end(), items.begin(), items.end());
    return absl::OkStatus();
  }
  absl::Status ExtendToMark(Kind wanted) {
    IP2P_ASSIGN_OR_RETURN(std::vector<NodeId> items, PopToMark());
    return Extend(wanted, std::move(items));
  }

  absl::Status Put(uint64_t slot) {
    IP2P_ASSIGN_OR_RETURN(memo_[slot], Top());
    return absl::OkStatus();
  }
  template <typename Slot>
  absl::Status PutAt() {
    Slot slot = 0;
    return reader_.Read(slot) ? Put(slot) : Damaged("a memo number is cut off");
  }
  template <typename Slot>
  absl::Status Get() {
    Slot slot = 0;
    if (!reader_.Read(slot)) return Damaged("a memo number is cut off");
    const auto found = memo_.find(slot);
    if (found == memo_.end()) return Damaged("it recalls what was never memorised");
    stack_.push_back(found->second);
    return absl::OkStatus();
  }

  absl::Status PushGlobal(std::string_view module, std::string_view name) {
    const std::string full = absl::StrCat(std::string(module), ".", std::string(name));
    const std::span<const PickleGlobal> globals = PickleGlobals();
    const auto found = std::ranges::find(globals, std::string_view(full), &PickleGlobal::name);
    // A dot inside either half would make two spellings of one name.
    if (found == globals.end() || name.find('.') != name.npos) return NotAllowed(Quoted(full));
    return PushNumber(Kind::kGlobal, found - globals.begin());
  }
  absl::Status GlobalFromLines() {
    std::string_view module, name;
    if (!reader_.Line(module) || !reader_.Line(name)) return Damaged("a global's name is cut off");
    return PushGlobal(module, name);
  }
  absl::Status GlobalFromStack() {
    IP2P_ASSIGN_OR_RETURN(const NodeId name, Pop());
    IP2P_ASSIGN_OR_RETURN(const NodeId module, Pop());
    if (Node(name).kind != Kind::kText || Node(module).kind != Kind::kText) {
      return Damaged("a global's name is not a text");
    }
    return PushGlobal(Node(module).text, Node(name).text);
  }

  const PickleGlobal* GlobalAt(NodeId id) {
    return Node(id).kind == Kind::kGlobal ? &PickleGlobals()[Node(id).number] : nullptr;
  }

  absl::Status Reduce() {
    IP2P_ASSIGN_OR_RETURN(const NodeId arguments, Pop());
    IP2P_ASSIGN_OR_RETURN(const NodeId callee, Pop());
    const PickleGlobal* global = GlobalAt(callee);
    if (global == nullptr) return NotAllowed("a call of something that is not a known name");
    const std::vector<NodeId>& items = Node(arguments).items;
    if (Node(arguments).kind != Kind::kTuple) return Damaged("a call has no argument tuple");
    switch (global->role) {
      case Role::kOrderedDict:
        if (!items.empty()) return Damaged("an OrderedDict is made from arguments");
        return Push({.kind = Kind::kDict});
      case Role::kRebuildTensor:
        return RebuildTensor(items);
      case Role::kRebuildParameter:
        if (items.empty() || Node(items[0]).kind != Kind::kTensor)
          return Damaged("a parameter is not a tensor");
        stack_.push_back(items[0]);
        return absl::OkStatus();
      case Role::kOpaque:
        return Push({.kind = Kind::kOpaque});
      case Role::kStorage:
        break;
    }
    return NotAllowed(absl::StrCat("a call of ", std::string(global->name)));
  }

  absl::Status RebuildTensor(const std::vector<NodeId>& items) {
    if (items.size() < 4 || Node(items[0]).kind != Kind::kStorage || Node(items[1]).kind != Kind::kInt ||
        Node(items[2]).kind != Kind::kTuple || Node(items[3]).kind != Kind::kTuple) {
      return Damaged("a tensor is not (storage, offset, shape, stride)");
    }
    return Push({.kind = Kind::kTensor,
                 .dtype = Node(items[0]).dtype,
                 .number = Node(items[1]).number,
                 .items = {items[0], items[2], items[3]}});
  }

  // object.__new__(class, arguments) and, for keywords, one operand more.
  absl::Status NewObject(size_t operands) {
    for (size_t i = 0; i + 1 < operands; ++i) IP2P_RETURN_IF_ERROR(Pop().status());
    IP2P_ASSIGN_OR_RETURN(const NodeId callee, Pop());
    const PickleGlobal* global = GlobalAt(callee);
    if (global != nullptr && global->role == Role::kOrderedDict) return Push({.kind = Kind::kDict});
    if (global == nullptr || global->role != Role::kOpaque)
      return NotAllowed("a new object of an unknown class");
    return Push({.kind = Kind::kOpaque});
  }

  // Attributes of what is below: a dictionary's "_metadata", or the inside of something opaque. Neither
  // matters here.
  absl::Status Build() {
    IP2P_RETURN_IF_ERROR(Pop().status());
    IP2P_ASSIGN_OR_RETURN(const NodeId target, Top());
    if (Node(target).kind != Kind::kDict && Node(target).kind != Kind::kOpaque) {
      return NotAllowed("attributes on plain data");
    }
    return absl::OkStatus();
  }

  // ("storage", type, key, location, elements)
  absl::Status PersistentId() {
    IP2P_ASSIGN_OR_RETURN(const NodeId id, Pop());
    const std::vector<NodeId>& items = Node(id).items;
    if (Node(id).kind != Kind::kTuple || items.size() < 5 || Node(items[0]).text != "storage" ||
        Node(items[2]).kind != Kind::kText || Node(items[4]).kind != Kind::kInt) {
      return Damaged("a persistent id is not a storage");
    }
    const PickleGlobal* global = GlobalAt(items[1]);
    if (global == nullptr || global->role != Role::kStorage) return Damaged("a storage has no element type");
    return Push({.kind = Kind::kStorage,
                 .dtype = global->dtype,
                 .number = Node(items[4]).number,
                 .text = Node(items[2]).text});
  }

  absl::Status Step(uint8_t op);

  ByteReader reader_;
  const std::string& label_;
  PickleDocument document_;
  std::vector<NodeId> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, NodeId> memo_;
};

absl::Status Machine::Step(uint8_t op) {
  switch (op) {
    case 'N':
      return Push({.kind = Kind::kNone});
    case 0x88:
      return PushNumber(Kind::kBool, 1);
    case 0x89:
      return PushNumber(Kind::kBool, 0);
    case 'K':
      return PushInt(1);
    case 'M':
      return PushInt(2);
    case 'J':
      return PushInt(4);
    case 0x8a:
      return PushLong<uint8_t>();
    case 0x8b:
      return PushLong<uint32_t>();
    case 'G':
      return reader_.Skip(8) ? Push({.kind = Kind::kFloat}) : Damaged("a number is cut off");
    case 0x8c:
      return PushText<uint8_t>(Kind::kText);
    case 'X':
      return PushText<uint32_t>(Kind::kText);
    case 0x8d:
      return PushText<uint64_t>(Kind::kText);
    case 'C':
    case 'U':
      return PushText<uint8_t>(Kind::kBytes);
    case 'B':
    case 'T':
      return PushText<uint32_t>(Kind::kBytes);
    case 0x8e:
    case 0x96:
      return PushText<uint64_t>(Kind::kBytes);
    case ')':
      return Push({.kind = Kind::kTuple});
    case 0x85:
    case 0x86:
    case 0x87:
      return Gather(Kind::kTuple, op - 0x84);
    case 't':
      return GatherToMark(Kind::kTuple);
    case ']':
      return Push({.kind = Kind::kList});
    case 'l':
      return GatherToMark(Kind::kList);
    case '}':
      return Push({.kind = Kind::kDict});
    case 'd':
      return GatherToMark(Kind::kDict);
    case 0x8f:
      return Push({.kind = Kind::kOpaque});  // a set
    case 0x91:
      return GatherToMark(Kind::kOpaque);
    case 'a': {
      IP2P_ASSIGN_OR_RETURN(const NodeId item, Pop());
      return Extend(Kind::kList, {item});
    }
    case 'e':
      return ExtendToMark(Kind::kList);
    case 's': {
      IP2P_ASSIGN_OR_RETURN(const NodeId value, Pop());
      IP2P_ASSIGN_OR_RETURN(const NodeId key, Pop());
      return Extend(Kind::kDict, {key, value});
    }
    case 'u':
      return ExtendToMark(Kind::kDict);
    case 0x90:
      return ExtendToMark(Kind::kOpaque);
    case '(':
      marks_.push_back(stack_.size());
      return absl::OkStatus();
    case '0':
      return Pop().status();
    case '1':
      return PopToMark().status();
    case '2': {
      IP2P_ASSIGN_OR_RETURN(const NodeId top, Top());
      stack_.push_back(top);
      return absl::OkStatus();
    }
    case 'q':
      return PutAt<uint8_t>();
    case 'r':
      return PutAt<uint32_t>();
    case 0x94:
      return Put(memo_.size());
    case 'h':
      return Get<uint8_t>();
    case 'j':
      return Get<uint32_t>();
    case 'c':
      return GlobalFromLines();
    case 0x93:
      return GlobalFromStack();
    case 'R':
      return Reduce();
    case 0x81:
      return NewObject(2);
    case 0x92:
      return NewObject(3);
    case 'b':
      return Build();
    case 'Q':
      return PersistentId();
    case 0x95:
      return reader_.Skip(8) ? absl::OkStatus() : Damaged("a frame is cut off");
    case 'i': {
      std::string_view module, name;
      if (!reader_.Line(module) || !reader_.Line(name)) return Damaged("a global's name is cut off");
      return NotAllowed(Quoted(absl::StrCat(std::string(module), ".", std::string(name))));
    }
    default:
      return NotAllowed(absl::StrCat("opcode 0x", absl::Hex(op, absl::kZeroPad2)));
  }
}

}  // namespace

const PickleNode* PickleDocument::Find(const PickleNode& dictionary, std::string_view key) const {
  for (size_t i = dictionary.items.size(); i >= 2; i -= 2) {
    const PickleNode& name = nodes[dictionary.items[i - 2]];
    if (name.kind == Kind::kText && name.text == key) return &nodes[dictionary.items[i - 1]];
  }
  return nullptr;
}

absl::StatusOr<PickleDocument> ReadPickle(std::span<const std::byte> pickle, const std::string& label) {
  if (pickle.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(label, " is a pickle of ", pickle.size(), " bytes; wants at most ", kMaxBytes));
  }
  return Machine(pickle, label).Run();
}

}  // namespace ip2p
