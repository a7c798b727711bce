// SPDX-License-Identifier: Apache-2.0
//
// Owner of one mapping of our own address space. Unmapped when dropped. Not of the target's: those
// are Regions, and nobody here maps or unmaps them.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_MAPPING_H_
#define DOPPEL_SNAPSHOT_SUPPORT_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

class Mapping {
 public:
  /// Owns nothing.
  Mapping() = default;

  /// `size` > 0 bytes of private zeroes. `reserve` false: address space that is not charged until
  /// written (MAP_NORESERVE).
  static Result<Mapping> anonymous(Sys& sys, std::size_t size, bool reserve = true);

  /// `size` > 0 bytes of an open file from `offset` (page aligned) on, read-only and private. The
  /// descriptor may be closed afterwards. Reading beyond the end of the file is a SIGBUS: the
  /// caller knows the file's size.
  static Result<Mapping> file(Sys& sys, int fd, std::size_t size, std::uint64_t offset = 0);

  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

  Mapping& operator=(Mapping&& other) noexcept {
    if (this != &other) {
      reset();
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }

  ~Mapping() { reset(); }

  /// Writable only for an anonymous mapping.
  std::span<std::byte> bytes() const { return bytes_; }

  explicit operator bool() const { return !bytes_.empty(); }

  void reset();

 private:
  explicit Mapping(std::span<std::byte> bytes) : bytes_(bytes) {}

  static Result<Mapping> create(Sys& sys, std::size_t size, int protection, int flags, int fd,
                                std::uint64_t offset);

  std::span<std::byte> bytes_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_MAPPING_H_
