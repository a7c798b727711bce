// SPDX-License-Identifier: Apache-2.0
//
// How much of a crash is dumped: the first of its kind whole, its repeats smaller, and then they
// are only counted. It decides before anything is taken, so that a program in a crash loop costs
// neither disk nor restarts. Pure.
#ifndef DOPPEL_CLI_RUN_CRASH_GOVERNOR_H_
#define DOPPEL_CLI_RUN_CRASH_GOVERNOR_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/model/region.h>

namespace doppel {

enum class DumpSize {
  full,
  small,    ///< stacks and what registers point at
  counted,  ///< no dump
};

std::string_view dump_size_name(DumpSize size);

/// What makes two crashes the same: program, signal, and where in which module it was, by its
/// program counter and the code addresses on top of the stack. Addresses are told by module and
/// offset, so that it is the same in every instance.
/// `words`: the stack from its top. `regions`: sorted.
std::string crash_signature(std::string_view executable, int signal, int code,
                            std::uint64_t program_counter, const std::vector<std::uint64_t>& words,
                            const std::vector<Region>& regions);

class CrashGovernor {
 public:
  /// The next crash of this kind. Kinds are forgotten an hour after their first crash.
  DumpSize decide(const std::string& signature, std::chrono::steady_clock::time_point now);

  /// How often the kind was seen, the last one included.
  std::uint64_t count(const std::string& signature) const;

 private:
  static constexpr std::uint64_t kSmallUpTo = 5;
  static constexpr std::chrono::hours kMemory{1};
  /// More kinds than that in an hour are no loop; the oldest is forgotten.
  static constexpr std::size_t kMostKinds = 256;

  struct Kind {
    std::uint64_t count = 0;
    std::chrono::steady_clock::time_point first;
  };

  std::map<std::string, Kind> kinds_;
};

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_CRASH_GOVERNOR_H_
