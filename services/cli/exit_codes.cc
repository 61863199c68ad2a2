// Status codes to exit codes.
#include "services/cli/exit_codes.h"

namespace ip2p {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return kExitBadInput;
    case absl::StatusCode::kUnavailable:
      return kExitUnavailable;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return kExitTemporary;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kExitDenied;
    case absl::StatusCode::kCancelled:
      return kExitCancelled;
    default:
      return kExitInternal;
  }
}

const char* ExitCodesHelp() {
  return "Exit codes:\n"
         "  0    done\n"
         "  1    internal fault\n"
         "  2    wrong flags, nothing was done\n"
         "  42   bad input: picture, text or model; trying again changes nothing\n"
         "  69   the server cannot be reached\n"
         "  75   for now: queue full, out of time or memory; try again later\n"
         "  77   token missing, wrong or without the right\n"
         "  130  cancelled (Ctrl-C)\n";
}

}  // namespace ip2p
