// nlohmann/json. The parts of it that take longest to compile are compiled once, in json.cc; so files include
// this header in place of the library's own (a JSON type in an interface: nlohmann/json_fwd.hpp does).
#pragma once

#include <string>

#include "nlohmann/json.hpp"

namespace ip2p::json_parts {

using TextInput = nlohmann::detail::iterator_input_adapter<std::string::const_iterator>;
using BytesInput = nlohmann::detail::iterator_input_adapter<const char*>;

}  // namespace ip2p::json_parts

extern template class nlohmann::basic_json<>;
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
extern template class nlohmann::detail::serializer<nlohmann::json>;
extern template class nlohmann::detail::serializer<nlohmann::ordered_json>;
extern template class nlohmann::detail::lexer<nlohmann::json, ip2p::json_parts::TextInput>;
extern template class nlohmann::detail::lexer<nlohmann::json, ip2p::json_parts::BytesInput>;
extern template class nlohmann::detail::parser<nlohmann::json, ip2p::json_parts::TextInput>;
extern template class nlohmann::detail::parser<nlohmann::json, ip2p::json_parts::BytesInput>;
