// SPDX-License-Identifier: Apache-2.0
#include <linux/ptrace.h>

#include <algorithm>
#include <array>
#include <vector>

#include <snapshot/linux/gadget.h>

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

namespace doppel {
namespace {

constexpr std::array<std::uint8_t, 2> kSyscall = {0x0f, 0x05};
constexpr std::size_t kVdsoSize = 16384;  // two pages in all kernels so far

// include/uapi/linux/ptrace.h, struct ptrace_rseq_configuration (since 5.13)
struct RseqConfiguration {
  std::uint64_t pointer;
  std::uint32_t size;
  std::uint32_t signature;
  std::uint32_t flags;
  std::uint32_t padding;
};

// include/uapi/linux/rseq.h
struct RseqSection {
  std::uint32_t version;
  std::uint32_t flags;
  std::uint64_t start;
  std::uint64_t length;
  std::uint64_t abort;
};

template <class T>
bool read_value(Sys& sys, int memory_fd, std::uint64_t address, T& to) {
  return sys.pread(memory_fd, &to, sizeof to, address) == static_cast<long>(sizeof to);
}

}  // namespace

std::optional<Address> find_vdso_gadget(Sys& sys, int memory_fd, Address vdso) {
  if (vdso.value == 0) return std::nullopt;
  std::vector<std::uint8_t> image(kVdsoSize);
  const long size = sys.pread(memory_fd, image.data(), image.size(), vdso.value);
  if (size <= 0) return std::nullopt;
  image.resize(static_cast<std::size_t>(size));
  const auto at = std::search(image.begin(), image.end(), kSyscall.begin(), kSyscall.end());
  if (at == image.end()) return std::nullopt;
  return Address{vdso.value + static_cast<std::uint64_t>(at - image.begin())};
}

std::optional<Address> find_own_gadget(Sys& sys, int memory_fd, const X86_64Registers& registers) {
  if (static_cast<std::int64_t>(registers.orig_rax) < 0) return std::nullopt;
  std::array<std::uint8_t, 2> bytes{};
  if (!read_value(sys, memory_fd, registers.rip - 2, bytes) || bytes != kSyscall)
    return std::nullopt;
  return Address{registers.rip - 2};
}

bool may_be_borrowed(Sys& sys, int memory_fd, const Tracee& thread,
                     const X86_64Registers& registers) {
  const bool in_system_call = static_cast<std::int64_t>(registers.orig_rax) >= 0;
  RseqConfiguration configuration{};
  const long got = sys.ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread.tid(),
                              reinterpret_cast<void*>(sizeof configuration), &configuration);
  if (got < 0) return in_system_call;  // a system call inside a sequence is forbidden
  if (configuration.pointer == 0) return true;
  std::uint64_t section_address = 0;
  if (!read_value(sys, memory_fd, configuration.pointer + 8, section_address)) return false;
  if (section_address == 0) return true;
  RseqSection section{};
  if (!read_value(sys, memory_fd, section_address, section)) return false;
  return registers.rip - section.start >= section.length;
}

}  // namespace doppel
