// SPDX-License-Identifier: Apache-2.0
#ifndef DOPPEL_SNAPSHOT_MODEL_FAULT_H_
#define DOPPEL_SNAPSHOT_MODEL_FAULT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <snapshot/model/address.h>
#include <snapshot/model/cpu_context.h>

namespace doppel {

/// Why the process ended, or is about to: absent from a snapshot taken on request.
struct Fault {
  std::int32_t thread = 0;
  std::uint32_t number = 0;  ///< signal number, or exception code
  std::int32_t code = 0;     ///< si_code, or exception flags
  Address address;
  std::vector<std::byte> siginfo;              ///< the record as the system gave it
  std::vector<std::uint64_t> parameters = {};  ///< of an NT exception, at most 15
  /// At the fault, where the thread has gone on since (into its exception handling).
  std::optional<CpuContext> registers = std::nullopt;
  bool operator==(const Fault&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_FAULT_H_
