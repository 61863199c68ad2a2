// For the files that tell ThreadSanitizer what it can't see in libraries built without it. Defines IP2P_TSAN
// in a TSan build, and nothing at all in any other.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define IP2P_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IP2P_TSAN 1
#endif
#endif

#ifdef IP2P_TSAN

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}

namespace ip2p {

// The function `name` (mangled) that `where` (RTLD_NEXT, RTLD_DEFAULT) finds. Aborts without it: the build is
// for another version of the library than the one that is loaded.
inline void* LibraryFunction(void* where, const char* name) {
  void* const found = dlsym(where, name);
  if (found == nullptr) {
    std::fprintf(stderr, "tsan.h: %s isn't in the library that is loaded\n", name);
    std::abort();
  }
  return found;
}

}  // namespace ip2p

#endif  // IP2P_TSAN
