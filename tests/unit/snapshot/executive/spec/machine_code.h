// SPDX-License-Identifier: Apache-2.0
//
// A few instructions for tests whose guest is too small for a program of its own.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_SPEC_MACHINE_CODE_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_SPEC_MACHINE_CODE_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace doppel {

class MachineCode {
 public:
  MachineCode& raw(std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) bytes_.push_back(static_cast<std::byte>(byte));
    return *this;
  }

  MachineCode& load_rax(std::uint64_t value) { return raw({0x48, 0xB8}).quad(value); }

  MachineCode& load_r10(std::uint64_t value) { return raw({0x49, 0xBA}).quad(value); }

  MachineCode& load_rdx(std::uint64_t value) { return raw({0x48, 0xBA}).quad(value); }

  /// mov eax, NUMBER; syscall.
  MachineCode& service(std::uint32_t number) {
    return raw({0xB8, number & 0xFF, number >> 8 & 0xFF, 0, 0, 0x0F, 0x05});
  }

  /// NtTerminateProcess of itself.
  MachineCode& exit(unsigned status) {
    return load_r10(~std::uint64_t{0}).raw({0xBA, status, 0, 0, 0}).service(5);
  }

  MachineCode& pad_to(std::size_t size) {
    bytes_.resize(size, std::byte{0xCC});
    return *this;
  }

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  MachineCode& quad(std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) bytes_.push_back(static_cast<std::byte>(value >> 8 * i));
    return *this;
  }

  std::vector<std::byte> bytes_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_SPEC_MACHINE_CODE_H_
