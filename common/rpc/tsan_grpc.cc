// Tells ThreadSanitizer who hands what on to whom through gRPC. Empty in every other build.
//
// gRPC's libraries are built without TSan: that a batch of operations which one thread starts is completed on
// another before its callback runs there is ordered by locks that TSan can't see, and so is what goes through
// the library's executor (OnDone, OnCancel): every field of a reactor would look like a race. So in a TSan
// build the program defines the two functions that hand work over itself; the dynamic linker prefers them.
// They call the library's, with a callback that takes over what was known when the work was handed in.
// common/base/tsan_mutex.cc does the same for absl's locks.
#include "common/base/tsan.h"

#ifdef IP2P_TSAN

#include <grpc/grpc.h>

namespace {

using FunctorRun = decltype(grpc_completion_queue_functor::functor_run);

using ip2p::LibraryFunction;

// What every callback of a reactor is run by; a tag that is no functor starts with another word.
FunctorRun LibraryRun() {
  static const auto run = reinterpret_cast<FunctorRun>(LibraryFunction(
      RTLD_DEFAULT, "_ZN4grpc8internal22CallbackWithSuccessTag9StaticRunEP29grpc_completion_queue_functori"));
  return run;
}

void AcquireAndRun(grpc_completion_queue_functor* functor, int ok) {
  __tsan_acquire(functor);
  functor->functor_run = LibraryRun();
  functor->functor_run(functor, ok);
}

// The head of the library's grpc_closure, which no header of it shows. A status goes by address.
struct Closure {
  void* next;
  void (*run)(void* argument, void* status);
  void* argument;
};

struct HandedOver {
  Closure* closure;
  void (*run)(void* argument, void* status);
  void* argument;
};

// Closures are the library's to order, here as there.
#define IP2P_UNSEEN __attribute__((no_sanitize("thread")))

IP2P_UNSEEN void AcquireAndRun(void* argument, void* status) {
  auto* const work = static_cast<HandedOver*>(argument);
  __tsan_acquire(work);
  const HandedOver own = *work;
  delete work;
  own.closure->run = own.run;  // some are handed in again
  own.closure->argument = own.argument;
  own.run(own.argument, status);
}

// A ServerCallbackCall counts, in two atomic ints behind its vtable, what is left before OnCancel and OnDone.
// The library's own share of the counting is unseen, so whoever it lets go ahead takes over from all who
// counted.
void AcquireCounts(char* call) {
  __tsan_acquire(call + sizeof(void*));
  __tsan_acquire(call + sizeof(void*) + sizeof(int));
}

}  // namespace

#define IP2P_EXECUTOR_RUN \
  "_ZN9grpc_core8Executor3RunEP12grpc_closureN4absl7debian36StatusENS_12ExecutorTypeENS_15ExecutorJobTypeE"
#define IP2P_SCHEDULE_ON_DONE "_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb"
#define IP2P_CALL_ON_CANCEL "_ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE"

extern "C" {
void TsanExecutorRun(Closure* closure, void* status, int executor, int job) __asm__(IP2P_EXECUTOR_RUN);
void TsanScheduleOnDone(char* call, bool inline_ondone) __asm__(IP2P_SCHEDULE_ON_DONE);
void TsanCallOnCancel(char* call, void* reactor) __asm__(IP2P_CALL_ON_CANCEL);
}

extern "C" void TsanScheduleOnDone(char* call, bool inline_ondone) {
  static const auto schedule =
      reinterpret_cast<decltype(&TsanScheduleOnDone)>(LibraryFunction(RTLD_NEXT, IP2P_SCHEDULE_ON_DONE));
  AcquireCounts(call);
  schedule(call, inline_ondone);
}

extern "C" void TsanCallOnCancel(char* call, void* reactor) {
  static const auto cancel =
      reinterpret_cast<decltype(&TsanCallOnCancel)>(LibraryFunction(RTLD_NEXT, IP2P_CALL_ON_CANCEL));
  AcquireCounts(call);
  cancel(call, reactor);
}

extern "C" IP2P_UNSEEN void TsanExecutorRun(Closure* closure, void* status, int executor, int job) {
  static const auto run =
      reinterpret_cast<decltype(&TsanExecutorRun)>(LibraryFunction(RTLD_NEXT, IP2P_EXECUTOR_RUN));
  auto* const work = new HandedOver{closure, closure->run, closure->argument};
  closure->run = &AcquireAndRun;
  closure->argument = work;
  __tsan_release(work);
  run(closure, status, executor, job);
}

extern "C" grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t nops, void* tag,
                                                 void* reserved) {
  static const auto start =
      reinterpret_cast<decltype(&grpc_call_start_batch)>(LibraryFunction(RTLD_NEXT, "grpc_call_start_batch"));
  auto* functor = static_cast<grpc_completion_queue_functor*>(tag);
  if (functor != nullptr) {
    if (functor->functor_run == LibraryRun()) functor->functor_run = &AcquireAndRun;
    __tsan_release(functor);
  }
  return start(call, ops, nops, tag, reserved);
}

#endif  // IP2P_TSAN
