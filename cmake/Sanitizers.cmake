# DOPPEL_SANITIZE: empty, "address,undefined", "thread", or with clang "address,undefined,fuzzer-no-link".
# Never applied to the victims in tests/targets: LeakSanitizer cannot run traced, and the shadow memory
# of a sanitizer is terabytes of map.
set(DOPPEL_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
add_library(doppel_sanitizers INTERFACE)
if(DOPPEL_SANITIZE)
  target_compile_options(doppel_sanitizers INTERFACE -fsanitize=${DOPPEL_SANITIZE} -fno-omit-frame-pointer
                                                     -fno-sanitize-recover=all)
  target_link_options(doppel_sanitizers INTERFACE -fsanitize=${DOPPEL_SANITIZE})
endif()

# GCC 12's ThreadSanitizer refuses to start where the kernel randomises more than 28 bits of an mmap
# address ("unexpected memory mapping"). There, its programs are run without randomisation.
if(DOPPEL_SANITIZE MATCHES "thread" AND EXISTS /proc/sys/vm/mmap_rnd_bits)
  file(READ /proc/sys/vm/mmap_rnd_bits doppel_mmap_rnd_bits)
  if(doppel_mmap_rnd_bits GREATER 28)
    set(CMAKE_CROSSCOMPILING_EMULATOR setarch -R)
  endif()
endif()
