// SPDX-License-Identifier: Apache-2.0
#include <llvm/Support/Endian.h>

#include <dumpwriter/read/minidump_context.h>
#include <dumpwriter/read/minidump_file.h>

namespace doppel {

using llvm::support::ulittle16_t;
using llvm::support::ulittle32_t;
using llvm::support::ulittle64_t;

std::optional<CpuContext> read_context(std::span<const std::byte> bytes) {
  constexpr std::size_t kContext = 1232;
  constexpr std::uint32_t kAmd64 = 0x100000;
  constexpr std::uint32_t kInteger = 0x2;
  constexpr std::uint32_t kFloatingPoint = 0x8;
  if (bytes.size() < kContext) return std::nullopt;
  StreamCursor cursor(bytes);
  cursor.skip(48);
  const std::uint32_t flags = cursor.take<ulittle32_t>();
  if ((flags & kAmd64) == 0) return std::nullopt;
  cursor.skip(4);
  CpuContext context;
  X86_64Registers& r = context.general;
  for (std::uint64_t* each : {&r.cs, &r.ds, &r.es, &r.fs, &r.gs, &r.ss}) {
    *each = cursor.take<ulittle16_t>();
  }
  r.eflags = cursor.take<ulittle32_t>();
  cursor.skip(48);
  for (std::uint64_t* each : {&r.rax, &r.rcx, &r.rdx, &r.rbx, &r.rsp, &r.rbp, &r.rsi, &r.rdi, &r.r8,
                              &r.r9, &r.r10, &r.r11, &r.r12, &r.r13, &r.r14, &r.r15, &r.rip}) {
    *each = cursor.take<ulittle64_t>();
  }
  // No system call is on its way, as far as anyone knows: 0 would be read(2), to be restarted.
  r.orig_rax = ~0ull;
  if ((flags & kFloatingPoint) != 0) {
    const auto fxsave = cursor.take_bytes(512);
    context.fxsave.assign(fxsave.begin(), fxsave.end());
  }
  context.complete = (flags & kInteger) != 0;
  return context;
}

}  // namespace doppel
