#include "common/dataset/import_columns.h"

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace ip2p {
namespace {

struct KnownName {
  const char* name;
  RowPart part;
};

// As found in: this system's shards and exports, diffusers' script, the original's captions, MagicBrush,
// HQ-Edit.
constexpr std::array<KnownName, 25> kKnown = {{
    {"before", RowPart::kBefore},
    {"input_image", RowPart::kBefore},
    {"original_image", RowPart::kBefore},
    {"source_image", RowPart::kBefore},
    {"source_img", RowPart::kBefore},
    {"image_before", RowPart::kBefore},
    {"0", RowPart::kBefore},
    {"after", RowPart::kAfter},
    {"edited_image", RowPart::kAfter},
    {"output_image", RowPart::kAfter},
    {"target_image", RowPart::kAfter},
    {"target_img", RowPart::kAfter},
    {"image_after", RowPart::kAfter},
    {"1", RowPart::kAfter},
    {"edit", RowPart::kEdit},
    {"edit_prompt", RowPart::kEdit},
    {"instruction", RowPart::kEdit},
    {"edit_instruction", RowPart::kEdit},
    {"txt", RowPart::kEdit},
    {"caption", RowPart::kCaption},
    {"input", RowPart::kCaption},
    {"original_prompt", RowPart::kCaption},
    {"output", RowPart::kOutput},
    {"edited_prompt", RowPart::kOutput},
    {"output_caption", RowPart::kOutput},
}};

std::string_view WithoutFileName(std::string_view name) {
  absl::string_view stem(name.data(), name.size());
  for (const char* const ending : {"_file_name", "_path"}) absl::ConsumeSuffix(&stem, ending);
  return {stem.data(), stem.size()};
}

// What the user names replaces the usual names of that part.
std::vector<RowPart> NamedParts(std::string_view name, const ImportColumns& columns) {
  std::vector<RowPart> parts;
  for (const auto& [wanted, part] :
       {std::pair(&columns.before, RowPart::kBefore), std::pair(&columns.after, RowPart::kAfter),
        std::pair(&columns.edit, RowPart::kEdit)}) {
    if (!wanted->empty() && name == *wanted) parts.push_back(part);
  }
  return parts;
}

bool IsNamed(RowPart part, const ImportColumns& columns) {
  return (part == RowPart::kBefore && !columns.before.empty()) ||
         (part == RowPart::kAfter && !columns.after.empty()) ||
         (part == RowPart::kEdit && !columns.edit.empty());
}

}  // namespace

std::vector<RowPart> PartsOf(std::string_view name, const ImportColumns& columns) {
  for (const std::string_view candidate : {name, WithoutFileName(name)}) {
    if (std::vector<RowPart> parts = NamedParts(candidate, columns); !parts.empty()) return parts;
  }
  for (const KnownName& known : kKnown) {
    if (WithoutFileName(name) == known.name && !IsNamed(known.part, columns)) return {known.part};
  }
  return {};
}

void TakeTexts(const nlohmann::json& object, const ImportColumns& columns, ImportRow& row,
               std::string& before, std::string& after) {
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) continue;
    for (const RowPart part : PartsOf(key, columns)) {
      std::string* const place = part == RowPart::kBefore    ? &before
                                 : part == RowPart::kAfter   ? &after
                                 : part == RowPart::kEdit    ? &row.edit
                                 : part == RowPart::kCaption ? &row.caption
                                                             : &row.output;
      if (place->empty()) *place = value.get<std::string>();
    }
  }
}

}  // namespace ip2p
