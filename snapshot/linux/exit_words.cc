// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>

#include <cstring>

#include <snapshot/linux/exit_words.h>

namespace doppel {
namespace {

/// include/uapi/linux/futex.h, struct robust_list_head
struct RobustHead {
  std::uint64_t next = 0;
  std::int64_t futex_offset = 0;
  std::uint64_t pending = 0;
};

/// ROBUST_LIST_LIMIT: further the kernel does not look either.
constexpr int kMostFutexes = 2048;

template <class T>
bool read_value(Sys& sys, int memory_fd, std::uint64_t address, T& to) {
  return sys.pread(memory_fd, &to, sizeof to, address) == static_cast<long>(sizeof to);
}

}  // namespace

void ExitWords::note_word(Sys& sys, int memory_fd, std::uint64_t address) {
  Word word{{address}, 0};
  if (read_value(sys, memory_fd, address, word.value)) words_.push_back(word);
}

void ExitWords::note(Sys& sys, int memory_fd, pid_t tid, const X86_64Registers& registers) {
  if (registers.fs_base != 0) {
    Block& block = blocks_.emplace_back();
    block.address = {registers.fs_base};
    const long size = sys.pread(memory_fd, block.bytes.data(), kBlock, registers.fs_base);
    if (size > 0) {
      block.size = static_cast<std::uint32_t>(size);
    } else {
      blocks_.pop_back();
    }
  }
  std::uint64_t head_address = 0;
  std::size_t length = 0;
  const long got = sys.invoke(SYS_get_robust_list, tid, reinterpret_cast<long>(&head_address),
                              reinterpret_cast<long>(&length));
  RobustHead head;
  if (got < 0 || head_address == 0 || !read_value(sys, memory_fd, head_address, head)) return;
  const auto futex_of = [&](std::uint64_t entry) {
    // Bit 0 marks a futex with priority inheritance.
    return (entry & ~1ull) + static_cast<std::uint64_t>(head.futex_offset);
  };
  if (head.pending != 0) note_word(sys, memory_fd, futex_of(head.pending));
  std::uint64_t entry = head.next;
  for (int i = 0; i < kMostFutexes && (entry & ~1ull) != head_address && entry != 0; ++i) {
    note_word(sys, memory_fd, futex_of(entry));
    if (!read_value(sys, memory_fd, entry & ~1ull, entry)) break;
  }
}

std::vector<Address> ExitWords::put_right(Sys& sys, int memory_fd,
                                          const std::function<bool(Address)>& shared) const {
  std::vector<Address> wrong;
  const auto write_back = [&](Address address, const void* word) {
    if (shared(address)) return;
    if (sys.pwrite(memory_fd, word, sizeof(std::uint32_t), address.value) !=
        static_cast<long>(sizeof(std::uint32_t))) {
      wrong.push_back(address);
    }
  };
  for (const Block& block : blocks_) {
    std::array<std::byte, kBlock> now;
    if (sys.pread(memory_fd, now.data(), block.size, block.address.value) !=
        static_cast<long>(block.size)) {
      wrong.push_back(block.address);
      continue;
    }
    for (std::size_t at = 0; at + 4 <= block.size; at += 4) {
      if (std::memcmp(now.data() + at, block.bytes.data() + at, 4) != 0) {
        write_back({block.address.value + at}, block.bytes.data() + at);
      }
    }
  }
  for (const Word& word : words_) {
    std::uint32_t now = 0;
    if (!read_value(sys, memory_fd, word.address.value, now)) {
      wrong.push_back(word.address);
    } else if (now != word.value) {
      write_back(word.address, &word.value);
    }
  }
  return wrong;
}

}  // namespace doppel
