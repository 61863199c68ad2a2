// Finds a row's parts under the names that published datasets use. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/dataset/import.h"

namespace ip2p {

enum class RowPart { kBefore, kAfter, kEdit, kCaption, kOutput };

// Which parts a name is, as a column or as the end of a shard's member without its image ending: none, one,
// or what `columns` gives that name. "edit_prompt" -> kEdit, "input_image_file_name" -> kBefore.
std::vector<RowPart> PartsOf(std::string_view name, const ImportColumns& columns);

// Fills what `object` has of texts; for the images their values (file names) go to `before` and `after`.
void TakeTexts(const nlohmann::json& object, const ImportColumns& columns, ImportRow& row,
               std::string& before, std::string& after);

}  // namespace ip2p
