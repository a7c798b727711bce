# DOPPEL_COVERAGE: line counters for `gcovr` or `llvm-cov gcov`; the preset "coverage" sets it.
option(DOPPEL_COVERAGE "Build with line counters" OFF)
add_library(doppel_coverage INTERFACE)
if(DOPPEL_COVERAGE)
  target_compile_options(doppel_coverage INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(doppel_coverage INTERFACE --coverage)
endif()
