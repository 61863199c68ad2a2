// The one wall where torch's exceptions become absl::Status. Nothing above common/pipeline sees an exception.
#pragma once

#include <torch/types.h>

#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace ip2p {

// Runs `work`, which returns T, absl::Status or absl::StatusOr<T>. RESOURCE_EXHAUSTED when memory ran out,
// else INTERNAL with the first line of torch's message (its stack trace names files of the build host).
template <typename Work>
auto CatchTorch(const char* what, Work&& work) {
  using Result = std::invoke_result_t<Work>;
  constexpr bool kIsStatus = std::is_convertible_v<absl::Status, Result> && !std::is_void_v<Result>;
  using Answer =
      std::conditional_t<kIsStatus, Result, absl::StatusOr<std::conditional_t<kIsStatus, int, Result>>>;
  auto first_line = [](const char* text) {
    return std::string(text).substr(0, std::string(text).find('\n'));
  };
  try {
    return Answer(std::forward<Work>(work)());
  } catch (const c10::OutOfMemoryError& e) {
    return Answer(absl::ResourceExhaustedError(absl::StrCat(what, ": device memory ran out")));
  } catch (const std::bad_alloc& e) {
    return Answer(absl::ResourceExhaustedError(absl::StrCat(what, ": memory ran out")));
  } catch (const c10::Error& e) {
    // The CPU's allocator has no exception of its own.
    if (std::string_view(e.what_without_backtrace()).find("DefaultCPUAllocator") != std::string_view::npos) {
      return Answer(absl::ResourceExhaustedError(absl::StrCat(what, ": memory ran out")));
    }
    return Answer(absl::InternalError(absl::StrCat(what, ": ", first_line(e.what_without_backtrace()))));
  } catch (const std::exception& e) {
    return Answer(absl::InternalError(absl::StrCat(what, ": ", first_line(e.what()))));
  }
}

}  // namespace ip2p
