// SPDX-License-Identifier: Apache-2.0
//
// Bytes like those of a server's heap: per page 15 % zero, 10 % noise, 25 % text, 40 % objects with
// pointers, 10 % doubles. The same bytes on every run.
#ifndef DOPPEL_TESTS_BENCH_HEAP_MIX_H_
#define DOPPEL_TESTS_BENCH_HEAP_MIX_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace doppel::bench {

class Random {
 public:
  explicit Random(std::uint64_t seed)
      : state_(seed * 0x9E3779B97F4A7C15ull + 88172645463325252ull) {
    for (int i = 0; i < 3; ++i) next();
  }

  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  std::uint64_t state_;
};

inline void fill_noise(std::uint64_t* words, Random& random) {
  for (int i = 0; i < 512; ++i) words[i] = random.next() * 0x2545F4914F6CDD1Dull;
}

inline void fill_text(char* page, Random& random) {
  static constexpr const char* kWords[32] = {"the ",
                                             "request ",
                                             "user_id=",
                                             "\"name\": ",
                                             "session ",
                                             "GET /api/v1/",
                                             "timeout ",
                                             "error: ",
                                             "connection ",
                                             "2026-11-22T",
                                             "value ",
                                             "null, ",
                                             "true, ",
                                             "false, ",
                                             "{\"id\": ",
                                             "status=200 ",
                                             "cache ",
                                             "miss ",
                                             "hit ",
                                             "worker-",
                                             "INFO ",
                                             "DEBUG ",
                                             "WARN ",
                                             "of ",
                                             "and ",
                                             "in ",
                                             "to ",
                                             "http://example.com/",
                                             "content-type: ",
                                             "application/json",
                                             "response ",
                                             "bytes="};
  std::size_t offset = 0;
  while (offset < 4096) {
    const std::uint64_t dice = random.next();
    std::string word = kWords[dice & 31];
    if (((dice >> 8) & 3) == 0) word = std::to_string((dice >> 40) % 100000) + " ";
    const std::size_t size = word.size() < 4096 - offset ? word.size() : 4096 - offset;
    std::memcpy(page + offset, word.data(), size);
    offset += size;
  }
}

inline void fill_objects(std::uint64_t* words, std::uint64_t heap, std::uint64_t heap_size,
                         Random& random) {
  for (int i = 0; i < 64; ++i, words += 8) {
    const std::uint64_t dice = random.next();
    words[0] = 0x55d0c3a41000ull + ((dice & 63) << 6);                      // vtable
    words[1] = heap + ((dice >> 6) % heap_size & ~63ull);                   // next, anywhere
    words[2] = heap + (dice >> 20) % 4096 * 64 - 64 * ((dice >> 50) & 15);  // a neighbour
    words[3] = (dice >> 40) & 0xff;
    words[4] = ((dice >> 20) & 0xfff) << 32 | ((dice >> 32) & 1);
    words[5] = ((dice >> 11) & 1) != 0 ? 0 : 0x0065756c61765f00ull | ((dice >> 24) & 0xf);
    words[6] = 0;
    words[7] = 0x41;
  }
}

inline void fill_doubles(std::uint64_t* words, Random& random) {
  for (int i = 0; i < 512; ++i) {
    words[i] = std::bit_cast<std::uint64_t>(static_cast<double>(random.next() % 10000) / 4.0);
  }
}

/// `bytes`: whole pages, page aligned. Pointers look like those of a heap at 0x7f5500000000, so the
/// contents do not depend on where the kernel put them.
inline void fill_heap_mix(std::span<std::byte> bytes) {
  for (std::size_t page = 0; page < bytes.size() / 4096; ++page) {
    Random random(page);
    auto* const words = reinterpret_cast<std::uint64_t*>(bytes.data() + page * 4096);
    const std::uint64_t kind = random.next() % 100;
    if (kind < 15) {
      // Touched, and zero.
      *static_cast<volatile std::uint64_t*>(words) = 0;
    } else if (kind < 25) {
      fill_noise(words, random);
    } else if (kind < 50) {
      fill_text(reinterpret_cast<char*>(words), random);
    } else if (kind < 90) {
      fill_objects(words, 0x7f5500000000 + page / 256 * 256 * 4096, bytes.size(), random);
    } else {
      fill_doubles(words, random);
    }
  }
}

}  // namespace doppel::bench

#endif  // DOPPEL_TESTS_BENCH_HEAP_MIX_H_
