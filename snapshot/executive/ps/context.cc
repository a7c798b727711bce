// SPDX-License-Identifier: Apache-2.0
//
// CONTEXT (AMD64) as bytes. Offsets: winnt.h; the general registers stand in the order of their
// encoding. Selectors are those that the kernel forces on every user thread.
#include <cstring>

#include <snapshot/executive/ps/context.h>

namespace doppel {
namespace {

constexpr std::size_t kFlagsAt = 0x30, kMxCsrAt = 0x34, kSegmentsAt = 0x38, kEflagsAt = 0x44,
                      kGeneralAt = 0x78, kRipAt = 0xF8, kFloatAt = 0x100;
constexpr std::uint16_t kCs = 0x33, kData = 0x2B, kFs = 0x53;
/// CF PF AF ZF SF DF OF: what a program may set. IF and the fixed bit 1 are always set.
constexpr std::uint32_t kUserFlags = kStatusFlags | kDirectionFlag;
constexpr std::uint32_t kFixedFlags = 0x202;

template <typename T>
void put(std::span<std::byte, kContextSize> to, std::size_t at, T value) {
  std::memcpy(to.data() + at, &value, sizeof value);
}

template <typename T>
T get(std::span<const std::byte, kContextSize> from, std::size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

bool has(std::uint32_t flags, std::uint32_t part) {
  return (flags & part) == part;
}

/// Rsp belongs to the control part, all others to the integer part.
bool is_control(std::size_t general) {
  return general == kRsp;
}

}  // namespace

void store_context(const NtContext& context, std::uint32_t flags,
                   std::span<std::byte, kContextSize> to) {
  const GuestRegisters& registers = context.registers;
  put(to, kFlagsAt, flags);
  if (has(flags, context_part::control)) {
    put(to, kSegmentsAt, kCs);
    put(to, kSegmentsAt + 10, kData);
    put(to, kEflagsAt, registers.flags);
    put(to, kRipAt, registers.rip);
  }
  if (has(flags, context_part::segments)) {
    put(to, kSegmentsAt + 2, kData);
    put(to, kSegmentsAt + 4, kData);
    put(to, kSegmentsAt + 6, kFs);
    put(to, kSegmentsAt + 8, kData);
  }
  for (std::size_t i = 0; i < registers.general.size(); ++i) {
    if (has(flags, is_control(i) ? context_part::control : context_part::integer))
      put(to, kGeneralAt + 8 * i, registers.general[i]);
  }
  if (has(flags, context_part::floating_point)) {
    std::memcpy(to.data() + kFloatAt, context.floating_point.data(), context.floating_point.size());
    std::memcpy(to.data() + kMxCsrAt, context.floating_point.data() + 24, 4);
  }
}

void load_context(std::span<const std::byte, kContextSize> from, NtContext& context) {
  const std::uint32_t flags = context_flags(from);
  GuestRegisters& registers = context.registers;
  if (has(flags, context_part::control)) {
    registers.flags = (get<std::uint32_t>(from, kEflagsAt) & kUserFlags) | kFixedFlags;
    registers.rip = get<std::uint64_t>(from, kRipAt);
  }
  for (std::size_t i = 0; i < registers.general.size(); ++i) {
    if (has(flags, is_control(i) ? context_part::control : context_part::integer))
      registers.general[i] = get<std::uint64_t>(from, kGeneralAt + 8 * i);
  }
  if (has(flags, context_part::floating_point))
    std::memcpy(context.floating_point.data(), from.data() + kFloatAt,
                context.floating_point.size());
}

std::uint32_t context_flags(std::span<const std::byte, kContextSize> record) {
  return get<std::uint32_t>(record, kFlagsAt);
}

}  // namespace doppel
