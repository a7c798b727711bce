# One interface target carries the warnings; -Werror only through DOPPEL_WERROR (the presets of CI set it).
option(DOPPEL_WERROR "Treat warnings as errors" OFF)
add_library(doppel_warnings INTERFACE)
target_compile_options(doppel_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wcast-qual -Wformat=2 -Wundef -Werror=unused-result
  # A designated initialiser leaves out what has a default: that is what it is for.
  -Wno-missing-field-initializers
  $<$<BOOL:${DOPPEL_WERROR}>:-Werror>
  # GCC 12 sees through inlined containers with half an eye: false alarms in std::vector and std::string at -O2.
  # They stay visible; clang-tidy and the sanitizers judge them.
  $<$<AND:$<BOOL:${DOPPEL_WERROR}>,$<CXX_COMPILER_ID:GNU>>:-Wno-error=free-nonheap-object
    -Wno-error=maybe-uninitialized -Wno-error=array-bounds -Wno-error=stringop-overflow
    -Wno-error=stringop-overread -Wno-error=restrict -Wno-error=nonnull>
  # libstdc++ 12 calls its own std::get_temporary_buffer in std::stable_sort.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
