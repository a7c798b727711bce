// SPDX-License-Identifier: Apache-2.0
//
// The words of a process that the kernel overwrites while the process dies and its memory lives on:
// the word named by set_tid_address becomes 0 and robust futexes are marked "owner died"
// (kernel/fork.c mm_release(), kernel/futex/core.c exit_robust_list()). They are noted before and
// put right afterwards. Shared memory is left alone: another process relies on the mark.
#ifndef DOPPEL_SNAPSHOT_LINUX_EXIT_WORDS_H_
#define DOPPEL_SNAPSHOT_LINUX_EXIT_WORDS_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <snapshot/model/address.h>
#include <snapshot/model/cpu_context.h>
#include <snapshot/support/sys.h>

namespace doppel {

class ExitWords {
 public:
  /// Notes those of a thread that stands still. Never fails: what cannot be read cannot be
  /// overwritten either.
  void note(Sys& sys, int memory_fd, pid_t tid, const X86_64Registers& registers);

  /// Writes back what has changed, except where `shared` says that others see the memory too.
  /// Returns the addresses of words that could not be put right.
  std::vector<Address> put_right(Sys& sys, int memory_fd,
                                 const std::function<bool(Address)>& shared) const;

 private:
  /// Where C libraries keep the word of set_tid_address: in the thread's control block, which the
  /// thread pointer points at. The whole beginning of it is noted, so no layout need be known.
  static constexpr std::size_t kBlock = 1024;

  struct Block {
    Address address;
    std::uint32_t size = 0;
    std::array<std::byte, kBlock> bytes;
  };

  struct Word {
    Address address;
    std::uint32_t value = 0;
  };

  void note_word(Sys& sys, int memory_fd, std::uint64_t address);

  std::vector<Block> blocks_;
  std::vector<Word> words_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_EXIT_WORDS_H_
