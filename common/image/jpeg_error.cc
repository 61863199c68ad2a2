// Which of libjpeg's warnings mean damage, and the jump.
#include "common/image/jpeg_error.h"

#include <jerror.h>

namespace ip2p::internal {
namespace {

JpegErrorManager* ErrorsOf(j_common_ptr codec) { return reinterpret_cast<JpegErrorManager*>(codec->err); }

[[noreturn]] void JumpBack(j_common_ptr codec) {
  JpegErrorManager* errors = ErrorsOf(codec);
  errors->base.format_message(codec, errors->message);
  std::longjmp(errors->jump, 1);
}

void OnMessage(j_common_ptr codec, int level) {
  if (level >= 0) return;
  switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      JumpBack(codec);
    default:
      break;  // harmless, and common in what cameras write
  }
}

void Silent(j_common_ptr) {}

}  // namespace

void InstallJpegErrors(jpeg_common_struct* codec, JpegErrorManager* errors) {
  codec->err = jpeg_std_error(&errors->base);
  errors->base.error_exit = JumpBack;
  errors->base.emit_message = OnMessage;
  errors->base.output_message = Silent;
  errors->message[0] = '\0';
}

}  // namespace ip2p::internal
