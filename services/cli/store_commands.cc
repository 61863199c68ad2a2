// `ip2p store`: objects listed, and copied from and to this machine.
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/object_store/object_store.h"
#include "common/object_store/object_tree.h"
#include "services/cli/commands.h"
#include "services/cli/count_progress.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

struct StoreFlags {
  std::string from;
  std::string to;
  bool json = false;
};

// The store of the environment, with which Ctrl-C ends what is under way.
struct OpenStore {
  OpenStore(Console& console, ObjectStore* opened)
      : store(opened), scope(console.cancellation, [opened] { opened->Cancel(); }) {}
  ObjectStore* const store;
  const Cancellation::Scope scope;
};

absl::StatusOr<std::unique_ptr<OpenStore>> Open(Console& console) {
  IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
  return std::make_unique<OpenStore>(console, store);
}

absl::Status List(const StoreFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const ObjectUrl url, ParseObjectUrl(flags.from));
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<OpenStore> open, Open(console));
  IP2P_ASSIGN_OR_RETURN(std::vector<ListedObject> objects, open->store->List(url));
  if (objects.empty() && !url.key.empty()) {
    IP2P_ASSIGN_OR_RETURN(const ObjectFacts facts, open->store->Head(url));
    objects.push_back({.key = url.key, .size = facts.size, .etag = facts.etag});
  }
  int64_t bytes = 0;
  for (const ListedObject& object : objects) {
    bytes += object.size;
    const std::string name = ObjectUrl{url.bucket, object.key}.text();
    if (flags.json) {
      const nlohmann::ordered_json line = {{"url", name}, {"bytes", object.size}, {"etag", object.etag}};
      console.out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    } else {
      console.out << absl::StrFormat("%14d  %s\n", object.size, name);
    }
  }
  console.err << objects.size() << " objects, " << bytes << " bytes\n";
  return absl::OkStatus();
}

int64_t SizeOf(const FileTransfer& file) {
  struct stat facts {};
  return ::stat(file.path.c_str(), &facts) == 0 ? facts.st_size : 0;
}

absl::Status CopyUp(const std::string& path, const ObjectUrl& url, ObjectStore& store, Console& console) {
  std::vector<FileTransfer> files;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    IP2P_ASSIGN_OR_RETURN(files, FilesBelow(path, url));
  } else {
    const bool into = url.key.empty() || url.key.ends_with('/');
    files.push_back({.path = path, .url = into ? url.Child(fs::path(path).filename().string()) : url});
  }
  int64_t all = 0;
  for (const FileTransfer& file : files) all += SizeOf(file);
  {
    CountProgress progress(console, "bytes");
    std::atomic<int64_t> done = 0;
    IP2P_RETURN_IF_ERROR(store.Upload(files, [&](int64_t bytes) { progress.Tell(done += bytes, all); }));
  }
  console.err << "copied " << files.size() << " files, " << all << " bytes to " << url.text() << "\n";
  return absl::OkStatus();
}

// The object of that name, else all objects below it.
absl::StatusOr<std::vector<FileTransfer>> PlanDown(const ObjectUrl& url, const std::string& path,
                                                   ObjectStore& store, int64_t& bytes) {
  std::error_code error;
  if (!url.key.empty() && !url.key.ends_with('/')) {
    const absl::StatusOr<ObjectFacts> facts = store.Head(url);
    if (facts.ok()) {
      bytes = facts->size;
      const bool into = path.ends_with('/') || fs::is_directory(path, error);
      return std::vector<FileTransfer>{
          {.path = into ? absl::StrCat(path, "/", url.base_name()) : path, .url = url}};
    }
    if (!absl::IsNotFound(facts.status())) return facts.status();
  }
  IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store.List(url));
  if (objects.empty()) {
    return absl::NotFoundError(absl::StrCat(url.text(), " is neither an object nor a folder of some"));
  }
  for (const ListedObject& object : objects) bytes += object.size;
  return FilesFor(objects, url, path);
}

absl::Status CopyDown(const ObjectUrl& url, const std::string& path, ObjectStore& store, Console& console) {
  int64_t all = 0;
  IP2P_ASSIGN_OR_RETURN(const std::vector<FileTransfer> files, PlanDown(url, path, store, all));
  {
    CountProgress progress(console, "bytes");
    std::atomic<int64_t> done = 0;
    IP2P_RETURN_IF_ERROR(store.Download(files, [&](int64_t bytes) { progress.Tell(done += bytes, all); }));
  }
  console.err << "copied " << files.size() << " objects, " << all << " bytes to " << path << "\n";
  return absl::OkStatus();
}

absl::Status CopyFiles(const StoreFlags& flags, Console& console) {
  if (IsObjectUrl(flags.from) == IsObjectUrl(flags.to)) {
    return absl::InvalidArgumentError(
        "both ends are URLs, or neither is one; wants one s3:// and one on this machine");
  }
  IP2P_ASSIGN_OR_RETURN(const ObjectUrl url, ParseObjectUrl(IsObjectUrl(flags.from) ? flags.from : flags.to));
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<OpenStore> open, Open(console));
  return IsObjectUrl(flags.from) ? CopyDown(url, flags.to, *open->store, console)
                                 : CopyUp(flags.from, url, *open->store, console);
}

}  // namespace

void AddStoreCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun =
      app.add_subcommand("store", "List and copy objects of an S3 store (keys and address: AWS_*)");
  noun->require_subcommand(1);
  const auto flags = std::make_shared<StoreFlags>();

  CLI::App* list = noun->add_subcommand("ls", "List what is below a URL: bytes and name");
  list->add_option("url", flags->from, "s3://BUCKET or s3://BUCKET/PREFIX")->required();
  list->add_flag("--json", flags->json, "Print an object a line as JSON");
  list->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return List(*flags, console); }; });

  CLI::App* copy =
      noun->add_subcommand("cp", "Copy a file or folder to a store, or an object or prefix from one");
  copy->add_option("from", flags->from,
                   "File, folder or s3://BUCKET/KEY; a large object goes on where it stood")
      ->required();
  copy->add_option("to", flags->to, "s3://BUCKET/KEY, or a file or folder")->required();
  copy->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return CopyFiles(*flags, console); }; });
}

}  // namespace ip2p
