// SPDX-License-Identifier: Apache-2.0
//
// A Memory over bytes of the test's own: it can refuse pages, vanish, hold readers up until told,
// and it remembers what was released.
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_JOB_TEST_MEMORY_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_JOB_TEST_MEMORY_H_

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include <snapshot/model/memory.h>

namespace doppel::test {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kBase = 0x7f0000000000;

/// What a test sees of the memory after the job that owned it is gone.
struct MemoryLog {
  std::mutex mutex;
  std::vector<AddressRange> released;
  std::size_t reads = 0;
  bool destroyed = false;
};

class TestMemory final : public Memory {
 public:
  TestMemory(std::vector<std::byte> bytes, std::shared_ptr<MemoryLog> log)
      : bytes_(std::move(bytes)), log_(std::move(log)) {}

  ~TestMemory() override {
    const std::lock_guard lock(log_->mutex);
    log_->destroyed = true;
  }

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override {
    if (on_read) on_read(from);
    {
      const std::lock_guard lock(log_->mutex);
      ++log_->reads;
    }
    const std::uint64_t offset = from.value - kBase;
    if (offset >= bytes_.size()) return fail(Errc::unmapped, "read", std::to_string(from.value));
    if (offset >= gone_from) return fail(Errc::gone, "read");
    std::size_t count = 0;
    while (count < to.size() && offset + count < bytes_.size()) {
      const std::uint64_t page = (offset + count) / kPage;
      if (bad_pages.contains(page)) break;
      const std::uint64_t part = std::min(
          {kPage - (offset + count) % kPage, to.size() - count, bytes_.size() - offset - count});
      std::memcpy(to.data() + count, bytes_.data() + offset + count, part);
      count += part;
    }
    if (count == 0) return fail(Errc::unmapped, "read", std::to_string(from.value));
    return count;
  }

  void release(AddressRange range) const override {
    if (on_release) on_release(range);
    const std::lock_guard lock(log_->mutex);
    log_->released.push_back(range);
  }

  std::set<std::uint64_t> bad_pages;
  std::uint64_t gone_from = ~0ull;
  std::function<void(Address)> on_read;
  std::function<void(AddressRange)> on_release;

 private:
  const std::vector<std::byte> bytes_;
  const std::shared_ptr<MemoryLog> log_;
};

/// `size` bytes in which no two pages are alike; every `zero_every`-th page is zero.
inline std::vector<std::byte> varied_bytes(std::size_t size, std::size_t zero_every = 7) {
  std::vector<std::byte> bytes(size);
  std::mt19937_64 random(42);
  for (std::size_t page = 0; page * kPage < size; ++page) {
    if (zero_every != 0 && page % zero_every == 0) continue;
    const std::size_t begin = page * kPage;
    const std::size_t end = std::min<std::size_t>(begin + kPage, size);
    for (std::size_t i = begin; i + 8 <= end; i += 8) {
      // Half noise, half pattern: compresses, but not to nothing.
      const std::uint64_t word = i % 16 == 0 ? random() : 0x00007f1234560000 + page * 64 + i;
      std::memcpy(&bytes[i], &word, 8);
    }
  }
  return bytes;
}

/// A door that threads wait at until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }

  void wait_for_arrivals(unsigned count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  unsigned arrived_ = 0;
};

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_JOB_TEST_MEMORY_H_
