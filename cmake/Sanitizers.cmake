# DOPPEL_SANITIZE: empty, "address,undefined" or "thread". Never applied to the victims in tests/targets.
set(DOPPEL_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")
add_library(doppel_sanitizers INTERFACE)
if(DOPPEL_SANITIZE)
  target_compile_options(doppel_sanitizers INTERFACE -fsanitize=${DOPPEL_SANITIZE} -fno-omit-frame-pointer
                                                     -fno-sanitize-recover=all)
  target_link_options(doppel_sanitizers INTERFACE -fsanitize=${DOPPEL_SANITIZE})
endif()
