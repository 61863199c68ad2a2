// SHA-256, for digests that other programs check. One thread a digest; never fails.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ip2p {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void Update(std::string_view bytes);
  // 64 hexadecimal digits, lower case, of all that went in. Once.
  std::string Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string Sha256Hex(std::string_view bytes);

}  // namespace ip2p
