#include "common/object_store/s3_xml.h"

#include <pugixml.hpp>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/object_store/object_url.h"

namespace ip2p {
namespace {

// The document's root, if it has that name. The document must outlive it.
absl::StatusOr<pugi::xml_node> RootOf(pugi::xml_document& document, std::string_view xml, const char* name) {
  const pugi::xml_parse_result result = document.load_buffer(xml.data(), xml.size());
  const pugi::xml_node root = document.document_element();
  if (result && std::string_view(root.name()) == name) return root;
  return absl::UnavailableError(absl::StrCat("the store's answer of ", xml.size(),
                                             " bytes is no whole document ", name, "; wants one"));
}

std::string TextOf(const pugi::xml_node& node, const char* name) { return node.child_value(name); }

}  // namespace

absl::StatusOr<ListPage> ParseListPage(std::string_view xml) {
  pugi::xml_document document;
  IP2P_ASSIGN_OR_RETURN(const pugi::xml_node root, RootOf(document, xml, "ListBucketResult"));
  const bool encoded = TextOf(root, "EncodingType") == "url";
  ListPage page;
  for (const pugi::xml_node& node : root.children("Contents")) {
    ListedObject object{.key = TextOf(node, "Key"), .etag = TextOf(node, "ETag")};
    if (encoded) object.key = UriDecode(object.key);
    if (object.key.empty() || !absl::SimpleAtoi(TextOf(node, "Size"), &object.size) || object.size < 0) {
      return absl::UnavailableError("the store lists an object without a key or size; wants both");
    }
    page.objects.push_back(std::move(object));
  }
  for (const pugi::xml_node& node : root.children("CommonPrefixes")) {
    std::string folder = TextOf(node, "Prefix");
    page.folders.push_back(encoded ? UriDecode(folder) : std::move(folder));
  }
  if (TextOf(root, "IsTruncated") != "true") return page;
  page.next = TextOf(root, "NextContinuationToken");
  if (page.next.empty()) {
    return absl::UnavailableError("the store's list is cut and does not say how it goes on; wants a token");
  }
  return page;
}

absl::StatusOr<std::string> ParseUploadId(std::string_view xml) {
  pugi::xml_document document;
  IP2P_ASSIGN_OR_RETURN(const pugi::xml_node root, RootOf(document, xml, "InitiateMultipartUploadResult"));
  std::string id = TextOf(root, "UploadId");
  if (id.empty()) return absl::UnavailableError("the store gives an upload no id; wants one");
  return id;
}

absl::StatusOr<StoreKeys> ParseRoleKeys(std::string_view xml) {
  pugi::xml_document document;
  IP2P_ASSIGN_OR_RETURN(const pugi::xml_node root,
                        RootOf(document, xml, "AssumeRoleWithWebIdentityResponse"));
  const pugi::xml_node node = root.child("AssumeRoleWithWebIdentityResult").child("Credentials");
  StoreKeys keys{.access_key = TextOf(node, "AccessKeyId"),
                 .secret_key = TextOf(node, "SecretAccessKey"),
                 .session_token = TextOf(node, "SessionToken")};
  std::string error;
  if (keys.access_key.empty() || keys.secret_key.empty() || keys.session_token.empty() ||
      !absl::ParseTime(absl::RFC3339_full, TextOf(node, "Expiration"), &keys.expires, &error)) {
    return absl::UnavailableError("the token service gives no whole key; wants one with its expiration");
  }
  return keys;
}

StoreError ParseStoreError(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return {};
  pugi::xml_node node = document.document_element();
  if (std::string_view(node.name()) == "ErrorResponse") node = node.child("Error");  // of the token service
  if (std::string_view(node.name()) != "Error") return {};
  return {.code = TextOf(node, "Code"), .message = TextOf(node, "Message"), .region = TextOf(node, "Region")};
}

std::string CompleteUploadXml(const std::vector<UploadedPart>& parts) {
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const UploadedPart& part : parts) {
    const std::string etag = absl::StrReplaceAll(
        part.etag, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});  // quotes at least
    absl::StrAppend(&xml, "<Part><PartNumber>", part.number, "</PartNumber><ETag>", etag, "</ETag>");
    if (!part.sha256.empty()) absl::StrAppend(&xml, "<ChecksumSHA256>", part.sha256, "</ChecksumSHA256>");
    absl::StrAppend(&xml, "</Part>");
  }
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace ip2p
