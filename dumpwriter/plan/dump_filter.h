// SPDX-License-Identifier: Apache-2.0
//
// coredump_filter, as the kernel means it (fs/coredump.c, vma_dump_size), plus what a copy of a
// process can never hold. One region in, one verdict out.
//
// Where the kernel leaves something out because the debugger can read it in the mapped file, we
// must make sure that there is such a file: contents of unlinked files count as anonymous memory
// here, private ones too.
#ifndef DOPPEL_DUMPWRITER_PLAN_DUMP_FILTER_H_
#define DOPPEL_DUMPWRITER_PLAN_DUMP_FILTER_H_

#include <cstdint>

#include <snapshot/model/region.h>

namespace doppel {

/// Bits of /proc/PID/coredump_filter (core(5)).
namespace coredump_filter {
inline constexpr std::uint64_t kAnonymousPrivate = 1u << 0;
inline constexpr std::uint64_t kAnonymousShared = 1u << 1;
inline constexpr std::uint64_t kFilePrivate = 1u << 2;
inline constexpr std::uint64_t kFileShared = 1u << 3;
inline constexpr std::uint64_t kElfHeaders = 1u << 4;
inline constexpr std::uint64_t kHugePrivate = 1u << 5;
inline constexpr std::uint64_t kHugeShared = 1u << 6;
inline constexpr std::uint64_t kDaxPrivate = 1u << 7;
inline constexpr std::uint64_t kDaxShared = 1u << 8;
}  // namespace coredump_filter

enum class Treatment {
  whole,    ///< its bytes, as far as they can be read
  in_file,  ///< unchanged contents of a file that still has a name
  absent,   ///< nothing
};

struct Verdict {
  Treatment treatment = Treatment::whole;
  /// Why it is absent, or why the file is only nearly as good: the text of an Omission. Empty: no
  /// loss worth a line (unchanged private file contents; the kernel's own vvar page).
  const char* why = "";
  bool asked = false;      ///< as in Omission
  bool landmarks = false;  ///< not whole, but its ELF header and the like are to be kept
};

/// Pure. `filter` holds coredump_filter bits; `omit_shared` leaves shared memory out whatever they
/// say. Unreadable parts of a region that is wanted `whole` are the survey's business, not this
/// function's.
Verdict judge(const Region& region, std::uint64_t filter, bool omit_shared);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_DUMP_FILTER_H_
