// SPDX-License-Identifier: Apache-2.0
//
// The register state of a thread and its form as a CONTEXT record (AMD64, 1232 bytes), which is how
// programs, NtGetContextThread and dumps see it. Layout: winnt.h. Pure.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_CONTEXT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_CONTEXT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <snapshot/executive/cpu/registers.h>

namespace doppel {

inline constexpr std::size_t kContextSize = 1232;

/// ContextFlags: which parts a record carries.
namespace context_part {
inline constexpr std::uint32_t amd64 = 0x100000, control = amd64 | 1, integer = amd64 | 2,
                               segments = amd64 | 4, floating_point = amd64 | 8,
                               full = control | integer | floating_point, all = full | segments;
}  // namespace context_part

/// What a thread has. `registers.gs_base` is its TEB and no part of a CONTEXT.
struct NtContext {
  GuestRegisters registers;
  std::array<std::byte, 512> floating_point{};  ///< FXSAVE; carried, never computed with
  bool operator==(const NtContext&) const = default;
};

using ContextBytes = std::array<std::byte, kContextSize>;

/// The record of `context` with the parts that `flags` names; the rest of `to` stays as it is.
void store_context(const NtContext& context, std::uint32_t flags,
                   std::span<std::byte, kContextSize> to);
/// Takes the parts that the record's own ContextFlags name; segment registers are the kernel's, IF
/// and bit 1 of the flags stay set, TF and what a user may not set stay clear.
void load_context(std::span<const std::byte, kContextSize> from, NtContext& context);
std::uint32_t context_flags(std::span<const std::byte, kContextSize> record);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_CONTEXT_H_
