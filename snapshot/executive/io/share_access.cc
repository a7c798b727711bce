// SPDX-License-Identifier: Apache-2.0
//
// The share counters: an open asks three questions of those before it, and they three of it.
#include <cassert>

#include <snapshot/executive/io/share_access.h>

namespace doppel {

OpenMode OpenMode::of(AccessMask granted, std::uint32_t share) {
  return {.reads = (granted & (file_access::read_data | file_access::execute)) != 0,
          .writes = (granted & (file_access::write_data | file_access::append)) != 0,
          .deletes = (granted & access::delete_object) != 0,
          .shares_read = (share & file_share::read) != 0,
          .shares_write = (share & file_share::write) != 0,
          .shares_delete = (share & file_share::delete_file) != 0};
}

bool ShareAccess::admits(const OpenMode& mode) const {
  if (!mode.counts()) return true;
  if (mode.reads && shared_read_ < open_) return false;
  if (mode.writes && shared_write_ < open_) return false;
  if (mode.deletes && shared_delete_ < open_) return false;
  return (readers_ == 0 || mode.shares_read) && (writers_ == 0 || mode.shares_write) &&
         (deleters_ == 0 || mode.shares_delete);
}

void ShareAccess::add(const OpenMode& mode) {
  if (!mode.counts()) return;
  ++open_;
  readers_ += mode.reads;
  writers_ += mode.writes;
  deleters_ += mode.deletes;
  shared_read_ += mode.shares_read;
  shared_write_ += mode.shares_write;
  shared_delete_ += mode.shares_delete;
}

void ShareAccess::remove(const OpenMode& mode) {
  if (!mode.counts()) return;
  assert(open_ > 0);
  --open_;
  readers_ -= mode.reads;
  writers_ -= mode.writes;
  deleters_ -= mode.deletes;
  shared_read_ -= mode.shares_read;
  shared_write_ -= mode.shares_write;
  shared_delete_ -= mode.shares_delete;
}

}  // namespace doppel
