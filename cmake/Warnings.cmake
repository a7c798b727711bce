# One interface target carries the warnings; -Werror only through DOPPEL_WERROR (the presets of CI set it).
option(DOPPEL_WERROR "Treat warnings as errors" OFF)
add_library(doppel_warnings INTERFACE)
target_compile_options(doppel_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-qual -Wformat=2 -Wundef -Werror=unused-result
  $<$<BOOL:${DOPPEL_WERROR}>:-Werror>)
