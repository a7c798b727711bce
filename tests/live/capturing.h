// SPDX-License-Identifier: Apache-2.0
//
// Short words for the live tests: capture a victim, read a word of the snapshot, say what went
// wrong.
#ifndef DOPPEL_TESTS_LIVE_CAPTURING_H_
#define DOPPEL_TESTS_LIVE_CAPTURING_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include <snapshot/linux/linux_backend.h>
#include <snapshot/model/image_check.h>
#include <tests/support/live_target.h>

namespace doppel {

inline Result<Snapshot> capture(pid_t pid, SharedMemory shared = SharedMemory::live,
                                Engine engine = Engine::automatic, Sys& sys = Sys::real()) {
  LinuxBackend backend{sys};
  CaptureRequest request;
  request.target = pid;
  request.shared = shared;
  request.engine = engine;
  return backend.capture(request);
}

inline std::string text(const Error& error) {
  return std::string(error.step) + " " + error.subject + ": errno " + std::to_string(error.os) +
         ", code " + std::to_string(static_cast<int>(error.code)) + " at " + error.file + ":" +
         std::to_string(error.line);
}

#define DOPPEL_ASSERT_OK(result) \
  ASSERT_TRUE((result).has_value()) << ::doppel::text((result).error())

/// The word at an address of the snapshot; nothing when it cannot be read whole.
inline std::optional<std::uint64_t> word_at(const Snapshot& snapshot, std::uint64_t address) {
  std::uint64_t value = 0;
  auto got = snapshot.memory->read(Address{address}, std::as_writable_bytes(std::span(&value, 1)));
  if (!got || *got != sizeof value) return std::nullopt;
  return value;
}

/// The omission that covers an address, if one does.
inline const Omission* omission_at(const ProcessImage& image, std::uint64_t address) {
  for (const Omission& omission : image.omissions)
    if (omission.range.contains(Address{address})) return &omission;
  return nullptr;
}

inline const TornRange* torn_at(const ProcessImage& image, std::uint64_t address) {
  for (const TornRange& torn : image.torn)
    if (torn.range.contains(Address{address})) return &torn;
  return nullptr;
}

/// The same generator as the victims'.
inline std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdul;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ul;
  return x ^ (x >> 33);
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_LIVE_CAPTURING_H_
