// SPDX-License-Identifier: Apache-2.0
//
// A guest memory for tests: code and data pages at fixed places, nothing else. No copy-on-write, no
// guards.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CPU_FLAT_MEMORY_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CPU_FLAT_MEMORY_H_

#include <cstring>
#include <map>
#include <span>
#include <vector>

#include <snapshot/executive/cpu/guest_memory.h>

namespace doppel {

class FlatMemory final : public GuestMemory {
 public:
  struct Page {
    std::vector<std::byte> bytes = std::vector<std::byte>(kGuestPageSize);
    bool write = false, execute = false;
    std::uint64_t version = 1;
  };

  void map(std::uint64_t base, std::uint64_t size, bool write, bool execute) {
    for (std::uint64_t at = base; at < base + size; at += kGuestPageSize) {
      pages_[at].write = write;
      pages_[at].execute = execute;
    }
    last_ = nullptr;
  }

  /// As a loader: ignores protection.
  void poke(std::uint64_t address, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      Page* page = find(address + i);
      page->bytes[(address + i) % kGuestPageSize] = bytes[i];
      ++page->version;
    }
  }

  Page* find(std::uint64_t address) {
    const std::uint64_t base = address - address % kGuestPageSize;
    if (last_ != nullptr && last_base_ == base) return last_;
    const auto found = pages_.find(base);
    if (found == pages_.end()) return nullptr;
    last_base_ = base;
    last_ = &found->second;
    return last_;
  }

  bool fetch(std::uint64_t address, CodePage& page, GuestException& exception) override {
    Page* found = find(address);
    if (found == nullptr || !found->execute) return fault(8, address, exception);
    page = {found->bytes.data(), address / kGuestPageSize, found->version};
    return true;
  }

  bool read(std::uint64_t address, void* bytes, std::uint32_t size,
            GuestException& exception) override {
    return check(address, size, false, exception) &&
           (copy(address, size, static_cast<std::byte*>(bytes), nullptr), true);
  }

  bool read_for_write(std::uint64_t address, void* bytes, std::uint32_t size,
                      GuestException& exception) override {
    return check(address, size, true, exception) &&
           (copy(address, size, static_cast<std::byte*>(bytes), nullptr), true);
  }

  bool write(std::uint64_t address, const void* bytes, std::uint32_t size,
             GuestException& exception) override {
    return check(address, size, true, exception) &&
           (copy(address, size, nullptr, static_cast<const std::byte*>(bytes)), true);
  }

 private:
  static bool fault(std::uint64_t kind, std::uint64_t address, GuestException& exception) {
    exception = {kGuestAccessViolation, 2, {kind, address}};
    return false;
  }

  bool check(std::uint64_t address, std::uint32_t size, bool write, GuestException& exception) {
    const std::uint64_t last = address + size - 1;
    for (std::uint64_t at : {address, last - last % kGuestPageSize}) {
      if (at < address) continue;
      const Page* page = find(at);
      if (page == nullptr || (write && !page->write)) return fault(write ? 1 : 0, at, exception);
    }
    return true;
  }

  void copy(std::uint64_t address, std::uint32_t size, std::byte* to, const std::byte* from) {
    for (std::uint32_t done = 0; done < size;) {
      const std::uint64_t offset = (address + done) % kGuestPageSize;
      const std::uint32_t part =
          std::min<std::uint32_t>(size - done, static_cast<std::uint32_t>(kGuestPageSize - offset));
      Page* page = find(address + done);
      if (to != nullptr) {
        std::memcpy(to + done, page->bytes.data() + offset, part);
      } else {
        std::memcpy(page->bytes.data() + offset, from + done, part);
        ++page->version;
      }
      done += part;
    }
  }

  std::map<std::uint64_t, Page> pages_;
  std::uint64_t last_base_ = 0;
  Page* last_ = nullptr;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_CPU_FLAT_MEMORY_H_
