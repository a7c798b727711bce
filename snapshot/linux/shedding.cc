// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <set>

#include <snapshot/linux/cgroup_parser.h>
#include <snapshot/linux/maps_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/shedding.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

bool has_file(const Region& region) {
  return region.inode != 0 || !region.path.empty();
}

bool is_memory_file(const Region& region) {
  return region.path.starts_with("/dev/shm/") || region.path.starts_with("/memfd:") ||
         region.path.starts_with("/dev/zero");
}

/// What the mapping claims beyond a mount; empty: nothing.
std::string claim_of(const Region& region, const std::vector<HeldLock>& locks) {
  if (!has_file(region)) return {};
  for (const HeldLock& lock : locks) {
    if (holds_lock(region, lock)) return lock.kind + " on " + region.path;
  }
  if (region.deleted && region.path.starts_with("/SYSV")) {
    return "SysV shared memory " + region.path.substr(1);
  }
  if (region.path.starts_with("anon_inode:")) return "ring " + region.path;
  if (region.path.starts_with("socket:")) return "packet ring " + region.path;
  if (region.backing == Backing::device) return "device " + region.path;
  return {};
}

/// Reads a mapping into the arena; false when there is no room, or it cannot be read whole.
bool copy_region(Sys& sys, const HandedOver& taken, const Region& region) {
  const CaptureArena& arena = *taken.arena;
  std::uint32_t& count = arena.header().copy_count;
  std::uint64_t offset = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const CopyRecord& copy = arena.copy_records()[i];
    offset = std::max(offset, copy.offset + copy.range.size);
  }
  if (count == arena.copy_records().size() || region.range.size > arena.copies().size() - offset) {
    return false;
  }
  CopyRecord copy{.range = region.range, .offset = offset, .copied = 0};
  while (copy.copied < copy.range.size) {
    const long size =
        sys.pread(taken.memory.get(), arena.copies().data() + offset + copy.copied,
                  copy.range.size - copy.copied, copy.range.begin.value + copy.copied);
    if (size <= 0) break;
    copy.copied += static_cast<std::uint64_t>(size);
  }
  if (copy.copied == 0) return false;
  arena.copy_records()[count++] = copy;
  return copy.copied == copy.range.size;
}

bool readable(const Region& region) {
  return region.backing != Backing::device && !region.path.starts_with("anon_inode:") &&
         !region.path.starts_with("socket:");
}

Result<std::vector<Region>> read_regions(const ProcDir& holder) {
  const std::string text = DOPPEL_TRY(holder.read_text("maps", 256u << 20));
  return parse_maps(text);
}

/// The mount point that holds `path`: the longest that is a prefix of it.
std::string mount_of(const std::vector<Mount>& mounts, const std::string& path) {
  std::string best;
  for (const Mount& mount : mounts) {
    const std::string& point = mount.point;
    const bool inside =
        point == "/" || path == point ||
        (path.starts_with(point) && path.size() > point.size() && path[point.size()] == '/');
    if (inside && point.size() >= best.size()) best = point;
  }
  return best;
}

}  // namespace

std::vector<Claim> find_claims(const std::vector<Region>& regions,
                               const std::vector<HeldLock>& locks) {
  std::vector<Claim> claims;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    std::string what = claim_of(regions[i], locks);
    if (!what.empty()) claims.push_back({i, std::move(what)});
  }
  return claims;
}

AllClear shed(Sys& sys, const TargetProcess& target, HandedOver& taken) {
  AllClear clear;
  MemoryHolder& holder = *taken.holder;
  // It was 1, or there would be no holder. From now on its files can be opened.
  if (!holder.set_dumpable(1)) clear.held.push_back("mappings (the holder does not answer)");
  Result<ProcDir> process = ProcDir::open(sys, holder.task());
  if (!process) {
    clear.held.push_back("mappings (the holder is gone)");
    return clear;
  }
  if (Result<std::vector<Region>> regions = read_regions(*process)) {
    std::vector<Claim> claims = find_claims(*regions, taken.locks);
    // A plain shared mapping of a file holds its mount; what is in it, is in the file.
    for (std::size_t i = 0; i < regions->size(); ++i) {
      const Region& region = (*regions)[i];
      const bool claimed = std::any_of(claims.begin(), claims.end(),
                                       [&](const Claim& claim) { return claim.region == i; });
      if (!claimed && region.sharing == Sharing::shared && region.backing == Backing::file &&
          !is_memory_file(region)) {
        claims.push_back({i, "mapped file " + region.path});
      }
    }
    // The small ones first: the room is for as many as possible.
    std::stable_sort(claims.begin(), claims.end(), [&](const Claim& a, const Claim& b) {
      return (*regions)[a.region].range.size < (*regions)[b.region].range.size;
    });
    for (const Claim& claim : claims) {
      Region& region = (*regions)[claim.region];
      GivenUp given{.region = region, .what = claim.what};
      given.copied = readable(region) && copy_region(sys, taken, region);
      Result<long> gone = holder.call(
          {.number = SYS_munmap, .a = region.range.begin.value, .b = region.range.size});
      if (gone && *gone == 0) clear.given_up.push_back(std::move(given));
    }
  }
  const Settled settled = holder.settle(target, taken.memory.get());
  clear.settle_missed = settled.missed;
  clear.own_page = settled.page;
  return clear;
}

void verify_clear(Sys& sys, const HandedOver& taken, AllClear& clear) {
  const Result<ProcDir> opened = ProcDir::open(sys, taken.holder->task());
  if (!opened) {
    clear.held.push_back("mappings (the holder is gone)");
    return;
  }
  const ProcDir& holder = *opened;
  if (Result<std::vector<int>> descriptors = holder.list_descriptors();
      !descriptors || !descriptors->empty()) {
    clear.held.push_back("descriptors (the holder's table is not empty)");
  }
  if (Result<std::string> directory = holder.read_link("cwd"); !directory || *directory != "/") {
    clear.held.push_back("working directory" + (directory ? " " + *directory : std::string()));
  }
  if ((clear.settle_missed & Settled::kSameCgroup) != 0) {
    clear.held.push_back("control group (not permitted to leave it)");
  }
  std::vector<HeldLock> locks;
  if (Result<std::string> text = read_system_file(sys, "/proc/locks")) {
    locks = parse_held_locks(*text);
  } else {
    clear.held.push_back("locks (/proc/locks could not be read)");
  }
  Result<std::vector<Region>> regions = read_regions(holder);
  if (!regions) {
    clear.held.push_back("mappings (they could not be read)");
    return;
  }
  for (const Claim& claim : find_claims(*regions, locks)) {
    const Region& region = (*regions)[claim.region];
    clear.held.push_back(claim.what + (region.traits.sealed
                                           ? " (sealed mapping)"
                                           : " (its mapping could not be given up)"));
  }
  for (const GivenUp& given : clear.given_up) {
    if (!given.region.path.starts_with("anon_inode:[io_uring]")) continue;
    // io_uring/io_uring.c io_ring_exit_work(): a work item of the kernel, with or without us.
    clear.held.push_back("ring " + given.region.path +
                         " (the kernel closes the files registered with it a few ms later)");
    break;
  }
  std::vector<Mount> mounts;
  if (Result<std::string> text = holder.read_text("mountinfo")) {
    mounts = parse_mountinfo(*text);
  } else {
    clear.held.push_back("mounts (its mountinfo could not be read)");
  }
  std::set<std::string> named;
  for (const Region& region : *regions) {
    if (region.inode == 0 || !region.path.starts_with('/') || is_memory_file(region)) continue;
    const std::string mount = mount_of(mounts, region.path);
    // The root is never unmounted.
    if (mount.empty() || mount == "/" || !named.insert(mount).second) continue;
    clear.held.push_back("mount " + mount + " (" + region.path + " is mapped)");
  }
}

}  // namespace doppel
