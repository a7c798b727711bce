// SPDX-License-Identifier: Apache-2.0
//
// One file of the volume (NT's FCB): bytes, share counters, pending deletion, and how memory uses
// it. io opens, reads, writes and deletes it. mm reads and writes `bytes` directly, for a data
// segment and its file are one store, and keeps the three use counts true: it raises them with a
// section object or a view and lowers them when that goes. mm keeps its segments by FileNode
// address in a map of its own; io never looks into them.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_NODE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_NODE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/executive/io/file_lock.h>
#include <snapshot/executive/io/share_access.h>
#include <snapshot/executive/se/security_descriptor.h>

namespace doppel {

/// How sections hold a file, beside and beyond its handles.
struct SectionUse {
  std::uint32_t image = 0;           ///< image sections plus image views
  std::uint32_t image_views = 0;     ///< image views alone
  std::uint32_t writable_views = 0;  ///< views of the data segment through which a user may write
  std::map<std::uint64_t, std::uint32_t>
      view_ends;  ///< end offset of each data view -> how many end there

  bool any_data_view() const { return !view_ends.empty(); }

  /// Whether a data view holds bytes at or after `size`.
  bool views_beyond(std::uint64_t size) const {
    return any_data_view() && view_ends.rbegin()->first > size;
  }

  void add_view_end(std::uint64_t end) { ++view_ends[end]; }

  void remove_view_end(std::uint64_t end) {
    if (const auto at = view_ends.find(end); at != view_ends.end() && --at->second == 0)
      view_ends.erase(at);
  }
};

struct FileNode {
  std::string name;  ///< as it was created; compared without case
  std::vector<std::byte> bytes;
  std::optional<SecurityDescriptor> security;
  bool read_only = false;
  bool directory = false;
  bool delete_pending = false;
  bool unlinked = false;    ///< no longer in the volume; lives while objects refer to it
  std::uint8_t signer = 0;  ///< signer of the image that it holds (se/protection.h), 0 unsigned
  std::uint32_t opens = 0;  ///< file objects not yet cleaned up
  ShareAccess share;
  FileLocks locks;
  SectionUse use;

  /// Bytes from `offset` on into `to`; how many there were, 0 at or after the end.
  std::size_t read(std::uint64_t offset, std::byte* to, std::size_t size) const {
    if (offset >= bytes.size()) return 0;
    const std::size_t count =
        std::min<std::size_t>(size, bytes.size() - static_cast<std::size_t>(offset));
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, to);
    return count;
  }
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_NODE_H_
