// SPDX-License-Identifier: Apache-2.0
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include <snapshot/linux/held_lock.h>
#include <snapshot/linux/proc_directory.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

constexpr std::size_t kMostDescriptors = 512;

using FileId = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;

FileId id_of(const Region& region) {
  return {region.device_major, region.device_minor, region.inode};
}

/// Files that are mapped, but not to be executed.
std::set<FileId> mapped_files(const std::vector<Region>& regions) {
  std::set<FileId> code;
  std::set<FileId> files;
  for (const Region& region : regions) {
    if (region.inode == 0) continue;
    if (region.access.execute) code.insert(id_of(region));
    if (region.backing == Backing::file) files.insert(id_of(region));
  }
  for (const FileId& each : code) files.erase(each);
  return files;
}

}  // namespace

std::vector<HeldLock> parse_held_locks(std::string_view text) {
  std::vector<HeldLock> locks;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    // "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; one that waits: "1: -> FLOCK ..."
    if (line.starts_with("lock:")) (void)text::next_word(line);
    (void)text::next_word(line);
    const std::string_view kind = text::next_word(line);
    HeldLock lock;
    if (kind == "FLOCK") lock.kind = "flock";
    if (kind == "OFDLCK") lock.kind = "ofd lock";
    if (kind == "LEASE") lock.kind = "lease";
    if (lock.kind.empty()) continue;
    for (int i = 0; i < 3; ++i) (void)text::next_word(line);
    std::string_view file = text::next_word(line);
    const auto major = text::number<std::uint32_t>(text::next_field(file, ':'), 16);
    const auto minor = text::number<std::uint32_t>(text::next_field(file, ':'), 16);
    const auto inode = text::number<std::uint64_t>(file);
    if (!major || !minor || !inode) continue;
    lock.device_major = *major;
    lock.device_minor = *minor;
    lock.inode = *inode;
    locks.push_back(std::move(lock));
  }
  return locks;
}

bool holds_lock(const Region& region, const HeldLock& lock) {
  return region.inode != 0 && region.inode == lock.inode &&
         region.device_major == lock.device_major && region.device_minor == lock.device_minor;
}

std::vector<HeldLock> find_mapped_locks(Sys& sys, const TargetProcess& target,
                                        const std::vector<Region>& regions) {
  std::vector<HeldLock> locks;
  const std::set<FileId> files = mapped_files(regions);
  if (files.empty()) return locks;
  const Result<UniqueFd> directory = target.open_file("fd");
  if (!directory) return locks;
  Result<std::vector<pid_t>> numbers = list_numbers(sys, directory->get());
  if (!numbers) return locks;
  numbers->resize(std::min(numbers->size(), kMostDescriptors));
  for (const pid_t number : *numbers) {
    struct stat facts{};
    const std::string name = std::to_string(number);
    if (sys.fstatat(directory->get(), name.c_str(), &facts, 0) < 0 || !S_ISREG(facts.st_mode) ||
        !files.contains(FileId{major(facts.st_dev), minor(facts.st_dev), facts.st_ino})) {
      continue;
    }
    std::array<char, 4096> buffer;
    Result<std::span<char>> text = target.read_into(("fdinfo/" + name).c_str(), buffer);
    if (!text) continue;
    for (HeldLock& lock : parse_held_locks(std::string_view(text->data(), text->size()))) {
      locks.push_back(std::move(lock));
    }
  }
  return locks;
}

}  // namespace doppel
