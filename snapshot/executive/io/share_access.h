// SPDX-License-Identifier: Apache-2.0
//
// The share counters of one file: what NT's IoCheckShareAccess and IoRemoveShareAccess keep. Pure
// counting; it knows neither files nor handles, so that all pairs of opens can be tested against a
// brute-force oracle.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_IO_SHARE_ACCESS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_IO_SHARE_ACCESS_H_

#include <cstdint>

#include <snapshot/executive/nt_types.h>

namespace doppel {

/// One open as sharing sees it. Reading includes executing, writing includes appending.
struct OpenMode {
  bool reads = false, writes = false, deletes = false;
  bool shares_read = false, shares_write = false, shares_delete = false;
  /// Of a granted mask and ShareAccess (file_share).
  static OpenMode of(AccessMask granted, std::uint32_t share);

  /// An open that neither reads, writes nor deletes never conflicts and is not counted.
  bool counts() const { return reads || writes || deletes; }

  bool operator==(const OpenMode&) const = default;
};

class ShareAccess {
 public:
  /// Whether `mode` goes together with every open counted in.
  bool admits(const OpenMode& mode) const;
  void add(const OpenMode& mode);
  /// Undoes add() of the same mode.
  void remove(const OpenMode& mode);

  std::uint32_t open() const { return open_; }

  bool operator==(const ShareAccess&) const = default;

 private:
  std::uint32_t open_ = 0, readers_ = 0, writers_ = 0, deleters_ = 0;
  std::uint32_t shared_read_ = 0, shared_write_ = 0, shared_delete_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_IO_SHARE_ACCESS_H_
