// SPDX-License-Identifier: Apache-2.0
//
// What the kernel says about memory: the machine's, and a process's.
#ifndef DOPPEL_TESTS_BENCH_SYSTEM_MEMORY_H_
#define DOPPEL_TESTS_BENCH_SYSTEM_MEMORY_H_

#include <sys/types.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace doppel::bench {

/// A field in kB of a file like /proc/meminfo or /proc/PID/status, in bytes; 0 when it is not
/// there.
inline std::uint64_t memory_field(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1)) << 10;
  }
  return 0;
}

inline std::uint64_t available_memory() {
  return memory_field("/proc/meminfo", "MemAvailable");
}

/// Memory counted once however many share it: the sum over processes that share with nobody else is
/// what they take together.
inline std::uint64_t proportional_set(pid_t pid) {
  return memory_field("/proc/" + std::to_string(pid) + "/smaps_rollup", "Pss");
}

}  // namespace doppel::bench

#endif  // DOPPEL_TESTS_BENCH_SYSTEM_MEMORY_H_
