#include "common/base/json.h"

template class nlohmann::basic_json<>;
template class nlohmann::basic_json<nlohmann::ordered_map>;
template class nlohmann::detail::serializer<nlohmann::json>;
template class nlohmann::detail::serializer<nlohmann::ordered_json>;
template class nlohmann::detail::lexer<nlohmann::json, ip2p::json_parts::TextInput>;
template class nlohmann::detail::lexer<nlohmann::json, ip2p::json_parts::BytesInput>;
template class nlohmann::detail::parser<nlohmann::json, ip2p::json_parts::TextInput>;
template class nlohmann::detail::parser<nlohmann::json, ip2p::json_parts::BytesInput>;
