// SPDX-License-Identifier: Apache-2.0
//
// The memory that a dump holds: stretches of addresses, each with bytes in the file, known to be
// zero, or known to be missing. What no stretch covers is missing too; nothing missing ever reads
// as zero.
#ifndef DOPPEL_DUMPWRITER_READ_FILE_MEMORY_H_
#define DOPPEL_DUMPWRITER_READ_FILE_MEMORY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <dumpwriter/read/byte_source.h>
#include <snapshot/model/memory.h>

namespace doppel {

struct Stretch {
  AddressRange range;
  Extent::Kind kind = Extent::Kind::unreadable;
  std::uint64_t offset = 0;  ///< in the source, of `data`
};

class FileMemory final : public Memory {
 public:
  /// `stretches` in any order. Of two that overlap the one that begins first (of two that begin
  /// together, the one that comes first) is taken, and the other from its end on; one that wraps
  /// around the address space is dropped.
  FileMemory(std::shared_ptr<const ByteSource> source, std::vector<Stretch> stretches);

  /// Errc::malformed where the file is damaged, Errc::unmapped where it holds nothing.
  Result<std::size_t> read(Address from, std::span<std::byte> to) const override;
  Result<std::vector<Extent>> survey(AddressRange within) const override;

  /// From now on `range` is missing: its bytes are there, but are not the process's. Before the
  /// memory is shared.
  void forget(AddressRange range);

 private:
  /// The stretch that holds `address`, or none.
  const Stretch* find(std::uint64_t address) const;

  std::shared_ptr<const ByteSource> source_;
  std::vector<Stretch> stretches_;  ///< by address, disjoint
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_FILE_MEMORY_H_
