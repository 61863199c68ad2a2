// `ip2p shapes`: draws pictures of the miniature world, reads what is on a picture, and shows edits side by
// side.
#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/plot/contact_sheet.h"
#include "common/shapes/oracle.h"
#include "common/shapes/scene_json.h"
#include "services/cli/commands.h"
#include "services/cli/count_progress.h"
#include "services/cli/files.h"
#include "services/cli/shapes_folder.h"

namespace ip2p {
namespace {

struct DrawFlags {
  std::string out_dir;
  DrawOptions options;
  bool json = false;
};

absl::Status Draw(const DrawFlags& flags, Console& console) {
  DrawReport report;
  {
    CountProgress progress(console, "pictures");
    std::atomic<bool> cancelled = false;
    const Cancellation::Scope scope(console.cancellation, [&cancelled] { cancelled = true; });
    DrawOptions options = flags.options;
    options.progress = progress.callback();
    options.cancelled = &cancelled;
    IP2P_ASSIGN_OR_RETURN(report, DrawFolder(flags.out_dir, options));
  }
  console.err << "drew " << report.drawn << " of " << report.pictures << " pictures with " << report.captions
              << " different captions\n";
  if (flags.json) console.out << DrawReportJson(report);
  return absl::OkStatus();
}

struct ReadFlags {
  std::vector<std::string> images;
  bool json = false;
};

// Its faults name the file.
absl::StatusOr<Image> ReadPicture(const std::string& path, Console& console) {
  const auto read = [&]() -> absl::StatusOr<Image> {
    IP2P_ASSIGN_OR_RETURN(const std::string bytes, ReadInput(path, ImageLimits().max_bytes, console.in));
    IP2P_ASSIGN_OR_RETURN(DecodedImage decoded, DecodeImage(bytes));
    return std::move(decoded.image);
  };
  absl::StatusOr<Image> picture = read();
  if (picture.ok()) return picture;
  return absl::Status(picture.status().code(), absl::StrCat(path, ": ", picture.status().message()));
}

// One damaged picture of many doesn't keep the others from being read; the first fault is the outcome.
absl::Status Read(const ReadFlags& flags, Console& console) {
  absl::Status outcome;
  for (const std::string& path : flags.images) {
    const absl::StatusOr<Image> picture = ReadPicture(path, console);
    if (!picture.ok()) {
      if (!outcome.ok()) console.err << "ip2p: " << picture.status().message() << "\n";
      outcome.Update(picture.status());
      continue;
    }
    const shapes::SceneReading reading = shapes::ReadScene(*picture);
    if (flags.json) {
      nlohmann::ordered_json line = {{"file", path}};
      line.update(ReadingJson(reading));
      console.out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else {
      console.out << path << ": " << ReadingText(reading) << "\n";
    }
  }
  return outcome;
}

struct SheetFlags {
  std::vector<std::string> cells;  // before, words, after, before, ...
  std::string output;
  int columns = 4;
};

absl::Status MakeSheet(const SheetFlags& flags, Console& console) {
  if (flags.cells.size() % 3 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a sheet of ", flags.cells.size(), " words; wants three a cell: BEFORE WORDS AFTER"));
  }
  std::vector<SheetCell> cells;
  for (size_t i = 0; i < flags.cells.size(); i += 3) {
    SheetCell& cell = cells.emplace_back(SheetCell{.title = flags.cells[i + 1]});
    IP2P_ASSIGN_OR_RETURN(cell.before, ReadPicture(flags.cells[i], console));
    IP2P_ASSIGN_OR_RETURN(cell.after, ReadPicture(flags.cells[i + 2], console));
    const shapes::SceneReading reading = shapes::ReadScene(cell.after);
    cell.note = ReadingText(reading);
    cell.good = reading.seen();
  }
  IP2P_ASSIGN_OR_RETURN(const Image sheet, ContactSheet(cells, flags.columns));
  IP2P_ASSIGN_OR_RETURN(const std::string png, EncodeImage(sheet));
  return WriteOutput(flags.output, png, console.out);
}

void AddDraw(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command =
      noun.add_subcommand("draw", "Draw a set of captioned pictures to train from; a rerun goes on");
  const auto flags = std::make_shared<DrawFlags>();
  DrawOptions& options = flags->options;
  command->add_option("--out-dir", flags->out_dir, "Folder of the set; made when there is none")->required();
  command->add_option("--count", options.count, "Pictures")->capture_default_str();
  command->add_option("--seed", options.seed, "Sets of different seeds share no scene but by chance")
      ->capture_default_str();
  command->add_option("--resolution", options.side, "Side in px")->capture_default_str();
  command
      ->add_option("--places", options.set.places,
                   "Of how many objects the captions tell the place: some (a third), most (two thirds), all")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, shapes::PlacesTold>{{"some", shapes::PlacesTold::kSome},
                                                    {"most", shapes::PlacesTold::kMost},
                                                    {"all", shapes::PlacesTold::kAll}}))
      ->default_str("some");
  command->add_option("--objects", options.set.most_objects, "Most objects in a scene: 1 or 2")
      ->capture_default_str();
  command
      ->add_option("--alike", options.set.alike,
                   "Scenes in a row that differ in little, for `train start --group-size`; 1: none")
      ->capture_default_str();
  command->add_flag("--plain", options.set.plain,
                    "Blue and black objects on white only: where shapes are all there is to learn");
  command->add_flag(
      "--edits", options.edits,
      "Tell an instruction with each picture that is carried out in it already: with `dataset import "
      "--before file_name --after file_name`, examples of what must stay");
  CLI::Option* const prompts = command->add_option(
      "--prompts-file", options.prompts_file,
      "Draw what the edits of these prompts lead to, a picture each, in place of random scenes: photos for "
      "`pairs generate`");
  for (const char* name : {"--count", "--places", "--objects", "--alike", "--plain", "--edits"})
    prompts->excludes(command->get_option(name));
  command->add_option("--threads", options.threads, "Threads; 0: one a core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print the counts as JSON");
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Draw(*flags, console); }; });
}

void AddRead(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand(
      "read", "Tell which shapes of which colour are where, on which background, and how sure that is");
  const auto flags = std::make_shared<ReadFlags>();
  command->add_option("images", flags->images, "JPEG, PNG or WebP; - for standard input")->required();
  command->add_flag("--json", flags->json, "Print a JSON object a line");
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Read(*flags, console); }; });
}

void AddSheet(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* command = noun.add_subcommand(
      "sheet", "Put edits on one picture: before and after, the instruction above, what is seen below");
  const auto flags = std::make_shared<SheetFlags>();
  command->add_option("cells", flags->cells, "BEFORE INSTRUCTION AFTER, as often as there are edits")
      ->required();
  command->add_option("-o,--output", flags->output, "PNG to write; - for standard output")->required();
  command->add_option("--columns", flags->columns, "Edits in a row")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return MakeSheet(*flags, console); }; });
}

}  // namespace

void AddShapesCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun = app.add_subcommand("shapes", "The miniature world: draw its scenes and read them back");
  noun->require_subcommand(1);
  AddDraw(*noun, console, chosen);
  AddRead(*noun, console, chosen);
  AddSheet(*noun, console, chosen);
}

}  // namespace ip2p
