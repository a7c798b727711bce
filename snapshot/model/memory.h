// SPDX-License-Identifier: Apache-2.0
//
// The port for bytes. A live clone, a dump file and a test's map of bytes all stand behind it.
#ifndef DOPPEL_SNAPSHOT_MODEL_MEMORY_H_
#define DOPPEL_SNAPSHOT_MODEL_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <snapshot/model/address.h>
#include <snapshot/support/result.h>

namespace doppel {

/// A stretch of memory of one kind.
struct Extent {
  enum class Kind {
    data,        ///< can be read, may hold anything
    untouched,   ///< never written since it was mapped: reads as zero
    unreadable,  ///< cannot be read; nothing is known of its bytes
  };
  AddressRange range;
  Kind kind = Kind::data;
  bool operator==(const Extent&) const = default;
};

/// Safe to call from several threads at once.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  virtual ~Memory() = default;

  /// Copies up to to.size() bytes starting at `from` and returns how many were readable without a
  /// gap (never 0 for a non-empty span). Errc::unmapped if the first byte is not readable. Never
  /// blocks on the target.
  virtual Result<std::size_t> read(Address from, std::span<std::byte> to) const = 0;

  /// Divides `within` into extents, in address order, covering it whole. Page granular. Default:
  /// all data.
  virtual Result<std::vector<Extent>> survey(AddressRange within) const {
    return std::vector<Extent>{Extent{within, Extent::Kind::data}};
  }

  /// A hint: these bytes are safely written and will not be read again; give the pages back. Page
  /// aligned. Only a live clone acts on it. Returns at once.
  virtual void release(AddressRange /*range*/) const {}
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_MEMORY_H_
