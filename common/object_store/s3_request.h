// One request to an object store, as HTTP and signed. Here stands what libcurl's signatures want of a request
// (common/http/http_client.h). Pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/http/http_client.h"
#include "common/object_store/object_url.h"
#include "common/object_store/store_settings.h"

namespace ip2p {

struct S3Request {
  std::string method = "GET";
  ObjectUrl url;                             // of the bucket itself where the key is empty
  std::map<std::string, std::string> query;  // by name, as signatures sort it
  std::vector<HttpHeader> headers;           // none empty
  std::string body;
  size_t max_body_bytes = 16 << 20;  // of the answer
};

// "https://bucket.s3.eu-central-1.amazonaws.com" or "http://minio:9000/bucket": with an endpoint of one's own
// the bucket is part of the path, and at AWS where its name is none of a host.
std::string BucketAddress(const StoreSettings& settings, const std::string& bucket);

HttpRequest ToHttpRequest(const S3Request& request, const StoreSettings& settings, const StoreKeys& keys);

}  // namespace ip2p
