// SPDX-License-Identifier: Apache-2.0
//
// The system service entry: what the SYSCALL instruction of a guest runs. It fetches the arguments,
// copies records between guest memory and the typed calls of nt_api.h, and leaves the status in
// rax. Service numbers are those of cpu/guest_services.h.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_DISPATCH_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_DISPATCH_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/nt_status.h>

namespace doppel {

inline constexpr std::size_t kServiceArguments = 11;
using ServiceArguments = std::array<std::uint64_t, kServiceArguments>;

/// Serves one call of `thread`: INVALID_SYSTEM_SERVICE for a number that the profile does not have.
/// A pointer that faults: ACCESS_VIOLATION, before the call has any effect. PENDING: the thread
/// waits now, and its rax is set when it is woken.
NtStatus dispatch(Executive& executive, NtThread& thread, std::uint32_t service,
                  const ServiceArguments& arguments);

/// What the SYSCALL instruction does, when the processor has retired it: arguments from registers
/// and stack, dispatch(), rax.
void system_service(Executive& executive, NtThread& thread);

/// Such as "NtCreateFile"; "" for a number that does not exist.
std::string_view service_name(std::uint32_t service);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_DISPATCH_H_
