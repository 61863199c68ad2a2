#include "services/gateway/assets.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"

namespace ip2p::gateway {
namespace {

constexpr std::pair<std::string_view, const char*> kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".yaml", "application/yaml"},
};

// What the pages are reached by; the rest by their names.
constexpr std::pair<std::string_view, std::string_view> kPages[] = {
    {"index.html", "/"},
    {"openapi.yaml", "/api/v1/openapi.yaml"},
};

std::string PathOf(std::string_view name) {
  for (const auto& [file, path] : kPages) {
    if (file == name) return std::string(path);
  }
  return absl::StrCat("/", absl::string_view(name.data(), name.size()));
}

Handler Serve(const Asset& asset) {
  const std::string tag = absl::StrCat("\"", Sha256Hex(asset.bytes).substr(0, 32), "\"");
  return [asset, tag](WebRequest& request, EventSink&) -> absl::StatusOr<WebAnswer> {
    WebAnswer answer{.type = TypeOf(asset.name)};
    answer.headers = {{"ETag", tag}, {"Cache-Control", "no-cache"}};
    if (request.Header("if-none-match").find(tag) != std::string_view::npos) {
      answer.status = 304;
    } else {
      answer.body = std::string(asset.bytes);
    }
    return answer;
  };
}

}  // namespace

std::string TypeOf(std::string_view name) {
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

void AddAssetRoutes(Router& router) {
  for (const Asset& asset : Assets()) {
    router.Add({.method = "GET", .pattern = PathOf(asset.name), .handler = Serve(asset), .open = true});
  }
}

}  // namespace ip2p::gateway
