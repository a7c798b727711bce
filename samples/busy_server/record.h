// SPDX-License-Identifier: Apache-2.0
//
// What the sample server stores and its clients expect: a value follows from key and version alone,
// so a client can tell a right reply from a wrong one without remembering bytes. Values are made of
// words, so that they compress like text does and not like zeros.
#ifndef DOPPEL_SAMPLES_BUSY_SERVER_RECORD_H_
#define DOPPEL_SAMPLES_BUSY_SERVER_RECORD_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sample {

inline constexpr std::size_t kValueSize = 1024;

/// A request, and the head of a reply; both little-endian by being of this machine.
struct Message {
  enum Kind : std::uint32_t { get = 1, set = 2, found = 3, stored = 4, missing = 5 };

  std::uint32_t kind = 0;
  std::uint32_t version = 0;
  std::uint64_t key = 0;
};

inline std::uint64_t mix(std::uint64_t x) {
  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// The value of `key` at `version`: kValueSize characters.
inline std::string make_value(std::uint64_t key, std::uint32_t version) {
  static constexpr std::array<std::string_view, 16> kWords = {
      "session", "user",  "cart",  "token",   "price", "country", "created", "updated",
      "street",  "email", "phone", "balance", "order", "status",  "invoice", "page"};
  std::uint64_t random = mix(key * 0x10001 + version);
  std::string value;
  value.reserve(kValueSize + 32);
  while (value.size() < kValueSize) {
    random = mix(random);
    value += kWords[random & 15];
    value += '=';
    value += std::to_string(random >> 20);
    value += ';';
  }
  value.resize(kValueSize);
  return value;
}

}  // namespace sample

#endif  // DOPPEL_SAMPLES_BUSY_SERVER_RECORD_H_
