// SPDX-License-Identifier: Apache-2.0
//
// The oracle of the guest CPU's tests: a child process with one code and a few data pages, whose
// single thread is stepped by the tracer one instruction at a time on the real processor.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CPU_REAL_PROCESSOR_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CPU_REAL_PROCESSOR_H_

#include <sys/types.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include <snapshot/executive/cpu/registers.h>

namespace doppel {

class RealProcessor {
 public:
  static constexpr std::uint64_t kCode = 0x10000000, kCodeSize = 0x2000;
  static constexpr std::uint64_t kData = 0x20000000,
                                 kDataSize = 0x5000;  ///< the last page is read-only

  RealProcessor();  ///< starts the child; ok() false where the machine does not allow it
  ~RealProcessor();
  RealProcessor(const RealProcessor&) = delete;
  RealProcessor& operator=(const RealProcessor&) = delete;

  bool ok() const { return ok_; }

  std::span<std::byte> code() { return {code_, kCodeSize}; }

  std::span<std::byte> data() { return {data_, kDataSize}; }

  /// Steps once. The signal that stopped it: SIGTRAP after an instruction (`breakpoint` tells int3
  /// apart), SIGSEGV, SIGFPE, SIGILL; `registers` as the processor left them. 0: the child is gone.
  int step(GuestRegisters& registers, bool& breakpoint);

 private:
  /// In the child, page aligned.
  bool unmap(std::uint64_t begin, std::uint64_t end);

  pid_t child_ = -1;
  bool ok_ = false;
  std::byte* code_ = nullptr;
  std::byte* data_ = nullptr;
  user_regs_struct template_{};
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CPU_REAL_PROCESSOR_H_
