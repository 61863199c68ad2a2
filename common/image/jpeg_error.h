// libjpeg reports errors by a call that must not return; this turns it into a jump back and a message. The
// functions that set the jump keep only trivial objects, since longjmp runs no destructors. Not for callers.
#pragma once

// jpeglib.h wants size_t and FILE declared before it.
// clang-format off
#include <csetjmp>
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
// clang-format on

namespace ip2p::internal {

struct JpegErrorManager {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

// Fills `errors` and hangs it on the codec. Errors jump to errors->jump with `message` set; so do the
// warnings that mean lost picture data (truncated, bad codes), because half a photograph is no photograph.
void InstallJpegErrors(jpeg_common_struct* codec, JpegErrorManager* errors);

}  // namespace ip2p::internal
