# Every find_package of the project, with the reason for each.

# Threads of the writer.
find_package(Threads REQUIRED)

# Compression of dumps (mandated). Debian's 1.5.4 exports zstd::libzstd_shared / _static only.
find_package(zstd REQUIRED CONFIG)

# The command line (mandated). Included in one file only: the header costs 9 s to compile.
find_package(CLI11 REQUIRED CONFIG)

# Text formatting: GCC 12 has no std::format. Private to cli/ and error texts.
find_package(fmt REQUIRED CONFIG)

# Reading object files (mandated). Static, so that a start costs 3 ms instead of 24; private to dumpwriter/read.
find_package(LLVM 19.1 REQUIRED CONFIG)

# Decodes the instructions of the executive model's guests; private to snapshot/executive/cpu.
find_package(zydis REQUIRED CONFIG)

if(PROJECT_IS_TOP_LEVEL)
  # Unit tests (mandated).
  find_package(GTest REQUIRED CONFIG)
endif()
