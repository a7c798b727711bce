// SPDX-License-Identifier: Apache-2.0
#ifndef DOPPEL_SNAPSHOT_MODEL_THREAD_H_
#define DOPPEL_SNAPSHOT_MODEL_THREAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/model/cpu_context.h>
#include <snapshot/model/windows.h>

namespace doppel {

/// One thread at the instant of the snapshot.
struct Thread {
  std::int32_t id = 0;            ///< as seen by the one who captured
  std::int32_t namespace_id = 0;  ///< as seen in the target's own pid namespace
  std::string name;
  CpuContext registers;
  char state = 'S';                   ///< the kernel's letter: R S D T t Z ...
  std::uint64_t signals_pending = 0;  ///< thread's own; bit n-1 is signal n
  std::uint64_t signals_blocked = 0;
  std::uint64_t user_time_us = 0;
  std::uint64_t system_time_us = 0;
  std::int32_t nice = 0;
  std::vector<std::byte>
      siginfo;  ///< the siginfo_t of a signal on its way to the thread; else empty
  std::optional<WindowsThread> windows = std::nullopt;
  bool operator==(const Thread&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_THREAD_H_
