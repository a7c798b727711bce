// SPDX-License-Identifier: Apache-2.0
//
// Byte-range locks. Rules: "Locking and Unlocking Byte Ranges in Files" of Microsoft's
// documentation.
#include <algorithm>
#include <cstddef>

#include <snapshot/executive/io/file_lock.h>

namespace doppel {

NtStatus grant_lock(FileLocks& locks, const FileLock& wanted, Counters& counters) {
  const bool taken = std::ranges::any_of(locks, [&](const FileLock& held) {
    return held.overlaps(wanted.offset, wanted.length) && (held.exclusive || wanted.exclusive);
  });
  if (taken) return status::lock_not_granted;
  locks.push_back(wanted);
  ++counters.locks;
  return status::success;
}

NtStatus release_lock(FileLocks& locks, const FileLock& held, Counters& counters) {
  const auto found = std::ranges::find_if(locks, [&](const FileLock& lock) {
    return lock.same_owner(held) && lock.offset == held.offset && lock.length == held.length;
  });
  if (found == locks.end()) return status::range_not_locked;
  locks.erase(found);
  --counters.locks;
  return status::success;
}

bool release_locks(FileLocks& locks, const FileObject* file, std::uint32_t process,
                   Counters& counters) {
  const std::size_t gone = std::erase_if(locks, [&](const FileLock& lock) {
    return lock.file == file && (process == 0 || lock.process == process);
  });
  counters.locks -= gone;
  return gone != 0;
}

NtStatus check_locks_for_read(const FileLocks& locks, const FileLock& range) {
  const bool in_the_way = std::ranges::any_of(locks, [&](const FileLock& held) {
    return held.exclusive && !held.same_owner(range) && held.overlaps(range.offset, range.length);
  });
  return in_the_way ? status::file_lock_conflict : status::success;
}

NtStatus check_locks_for_write(const FileLocks& locks, const FileLock& range) {
  const bool in_the_way = std::ranges::any_of(locks, [&](const FileLock& held) {
    const bool mine = held.exclusive && held.same_owner(range);
    return !mine && held.overlaps(range.offset, range.length);
  });
  return in_the_way ? status::file_lock_conflict : status::success;
}

}  // namespace doppel
