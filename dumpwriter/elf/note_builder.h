// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a PT_NOTE segment, one note after another:
//
//   u32 name size (with NUL) | u32 descriptor size | u32 type | name, NUL, to 4 | descriptor, to 4
//
// Four-byte alignment for 64-bit files too: that is what the kernel, BFD and elfutils write and
// expect in cores, whatever the gABI says. It knows no note.
#ifndef DOPPEL_DUMPWRITER_ELF_NOTE_BUILDER_H_
#define DOPPEL_DUMPWRITER_ELF_NOTE_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <snapshot/support/result.h>

namespace doppel {

/// Not thread-safe.
class NoteBuilder {
 public:
  /// Appends one note. Errc::limit when `descriptor` is 4 GiB or more (its size has 32 bits).
  Result<> add(std::string_view owner, std::uint32_t type, std::span<const std::byte> descriptor);

  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_NOTE_BUILDER_H_
