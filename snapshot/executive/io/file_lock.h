// SPDX-License-Identifier: Apache-2.0
//
// Byte-range locks of one file: who owns which range and who conflicts with whom. Owner is the
// triple of file object, process and key. Pure bookkeeping; it knows no threads that wait.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_LOCK_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_LOCK_H_

#include <cstdint>
#include <vector>

#include <snapshot/executive/counters.h>
#include <snapshot/executive/nt_status.h>

namespace doppel {

class FileObject;

struct FileLock {
  const FileObject* file = nullptr;
  std::uint32_t process = 0;
  std::uint32_t key = 0;
  std::uint64_t offset = 0, length = 0;  ///< bytes
  bool exclusive = false;

  bool same_owner(const FileLock& other) const {
    return file == other.file && process == other.process && key == other.key;
  }

  /// An empty range overlaps nothing.
  bool overlaps(std::uint64_t begin, std::uint64_t size) const {
    if (length == 0 || size == 0) return false;
    return begin <= offset + (length - 1) && offset <= begin + (size - 1);
  }

  bool operator==(const FileLock&) const = default;
};

/// The granted locks of one file, in the order of their grant.
using FileLocks = std::vector<FileLock>;

/// LOCK_NOT_GRANTED where a granted range overlaps and not both are shared, whoever owns it.
/// `counters` gets the new lock.
NtStatus grant_lock(FileLocks& locks, const FileLock& wanted, Counters& counters);
/// Exactly this range of this owner: RANGE_NOT_LOCKED.
NtStatus release_lock(FileLocks& locks, const FileLock& held, Counters& counters);
/// Whatever `process` holds through `file`; every process' when it is 0. Whether there was any.
bool release_locks(FileLocks& locks, const FileObject* file, std::uint32_t process,
                   Counters& counters);
/// FILE_LOCK_CONFLICT where `range` meets a foreign exclusive lock.
NtStatus check_locks_for_read(const FileLocks& locks, const FileLock& range);
/// FILE_LOCK_CONFLICT where `range` meets a foreign exclusive lock, or any shared one.
NtStatus check_locks_for_write(const FileLocks& locks, const FileLock& range);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_IO_FILE_LOCK_H_
