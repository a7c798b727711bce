// SPDX-License-Identifier: Apache-2.0
//
// Memory from a map, for tests: put bytes where you want them, say what is untouched and what
// cannot be read. What nobody spoke of is unreadable, and a survey says so.
#ifndef DOPPEL_TESTS_SUPPORT_FAKE_MEMORY_H_
#define DOPPEL_TESTS_SUPPORT_FAKE_MEMORY_H_

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <snapshot/model/memory.h>

namespace doppel {

class FakeMemory : public Memory {
 public:
  /// Data: `size` bytes of `value`. Ranges must not overlap what was put before.
  FakeMemory& fill(std::uint64_t begin, std::uint64_t size, unsigned char value) {
    stretches_[begin] = {Extent::Kind::data, size, {}, std::byte{value}};
    return *this;
  }

  /// Data: `text`, filled up with zeros to `size`.
  FakeMemory& put(std::uint64_t begin, std::uint64_t size, std::span<const std::byte> bytes) {
    std::vector<std::byte> whole(bytes.begin(), bytes.end());
    whole.resize(size);
    stretches_[begin] = {Extent::Kind::data, size, std::move(whole), {}};
    return *this;
  }

  FakeMemory& put(std::uint64_t begin, std::uint64_t size, std::string_view text) {
    return put(begin, size, std::as_bytes(std::span(text)));
  }

  FakeMemory& untouched(std::uint64_t begin, std::uint64_t size) {
    stretches_[begin] = {Extent::Kind::untouched, size, {}, {}};
    return *this;
  }

  FakeMemory& unreadable(std::uint64_t begin, std::uint64_t size) {
    stretches_[begin] = {Extent::Kind::unreadable, size, {}, {}};
    return *this;
  }

  /// From now on survey() fails with this for ranges that begin at `begin`.
  FakeMemory& fail_survey(std::uint64_t begin, Errc code) {
    failing_[begin] = code;
    return *this;
  }

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override {
    std::size_t done = 0;
    while (done < to.size()) {
      const auto* each = at(from.value + done);
      if (each == nullptr || each->second.kind == Extent::Kind::unreadable) break;
      const std::uint64_t skip = from.value + done - each->first;
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(each->second.size - skip, to.size() - done));
      if (each->second.bytes.empty()) {
        std::memset(to.data() + done, std::to_integer<int>(each->second.value), count);
      } else {
        std::memcpy(to.data() + done, each->second.bytes.data() + skip, count);
      }
      done += count;
    }
    if (done == 0 && !to.empty()) return fail(Errc::unmapped, "read memory");
    return done;
  }

  Result<std::vector<Extent>> survey(AddressRange within) const override {
    if (const auto found = failing_.find(within.begin.value); found != failing_.end()) {
      return fail(found->second, "survey memory");
    }
    std::vector<Extent> extents;
    std::uint64_t at_byte = 0;
    while (at_byte < within.size) {
      const std::uint64_t here = within.begin.value + at_byte;
      const auto* each = at(here);
      std::uint64_t size = 0;
      if (each != nullptr) {
        size = each->second.size - (here - each->first);
      } else {
        const auto next = stretches_.upper_bound(here);
        size = next == stretches_.end() ? within.size : next->first - here;
      }
      size = std::min(size, within.size - at_byte);
      extents.push_back({.range = {.begin = Address{here}, .size = size},
                         .kind = each != nullptr ? each->second.kind : Extent::Kind::unreadable});
      at_byte += size;
    }
    return extents;
  }

 private:
  struct Stretch {
    Extent::Kind kind = Extent::Kind::data;
    std::uint64_t size = 0;
    std::vector<std::byte> bytes;  ///< empty: all `value`
    std::byte value{};
  };

  using Map = std::map<std::uint64_t, Stretch>;

  const Map::value_type* at(std::uint64_t address) const {
    auto after = stretches_.upper_bound(address);
    if (after == stretches_.begin()) return nullptr;
    const auto& each = *std::prev(after);
    return address - each.first < each.second.size ? &each : nullptr;
  }

  Map stretches_;
  std::map<std::uint64_t, Errc> failing_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_FAKE_MEMORY_H_
