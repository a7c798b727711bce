// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <span>

#include <dumpwriter/minidump/context_amd64.h>
#include <dumpwriter/minidump/record_writer.h>
#include <dumpwriter/minidump/records.h>

namespace doppel::minidump {

namespace {

constexpr std::uint32_t kAmd64 = 0x100000;
constexpr std::uint32_t kControl = 0x1;
constexpr std::uint32_t kInteger = 0x2;
constexpr std::uint32_t kSegments = 0x4;
constexpr std::uint32_t kFloatingPoint = 0x8;

constexpr std::size_t kFxsave = 512;
constexpr std::size_t kMxcsr = 24;  // in the FXSAVE area

std::uint16_t low(std::uint64_t value) {
  return static_cast<std::uint16_t>(value);
}

/// The FXSAVE area: of its own, or the start of the XSAVE area, which is laid out alike.
std::span<const std::byte> fxsave_of(const CpuContext& registers) {
  if (registers.fxsave.size() >= kFxsave) return std::span(registers.fxsave).first(kFxsave);
  if (registers.xsave.size() >= kFxsave) return std::span(registers.xsave).first(kFxsave);
  return {};
}

}  // namespace

std::vector<std::byte> make_context(const CpuContext& registers) {
  const X86_64Registers& r = registers.general;
  const std::span<const std::byte> fxsave = fxsave_of(registers);
  std::uint32_t flags = kAmd64 | kControl;
  // Of a thread that did not stop only some are known, and there is no finer flag for the rest.
  if (registers.complete) flags |= kInteger | kSegments;
  if (!fxsave.empty()) flags |= kFloatingPoint;

  RecordWriter context;
  context.zeros(48).u32(flags);
  if (fxsave.empty()) {
    context.u32(0);
  } else {
    context.raw(fxsave.subspan(kMxcsr, 4));
  }
  context.u16(low(r.cs)).u16(low(r.ds)).u16(low(r.es)).u16(low(r.fs)).u16(low(r.gs)).u16(low(r.ss));
  context.u32(static_cast<std::uint32_t>(r.eflags));
  context.zeros(48);  // Dr0-3, Dr6, Dr7
  context.u64(r.rax).u64(r.rcx).u64(r.rdx).u64(r.rbx).u64(r.rsp).u64(r.rbp).u64(r.rsi).u64(r.rdi);
  context.u64(r.r8).u64(r.r9).u64(r.r10).u64(r.r11).u64(r.r12).u64(r.r13).u64(r.r14).u64(r.r15);
  context.u64(r.rip);
  if (fxsave.empty()) {
    context.zeros(kFxsave);
  } else {
    context.raw(fxsave);
  }
  context.zeros(kContextSize - context.size());
  assert(context.size() == kContextSize);
  return context.bytes();
}

}  // namespace doppel::minidump
