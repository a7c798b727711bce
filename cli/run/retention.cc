// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include <cli/dump_name.h>
#include <cli/run/retention.h>
#include <snapshot/linux/proc_reader.h>

namespace doppel {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The part of "COMM.PID.STAMP[-N].core[.zst][.partial]" by which dumps are ordered: the stamp and
/// its number; empty when the name is none of `comm`.
std::pair<std::string, unsigned long> age_of(std::string_view name, std::string_view comm) {
  if (!name.starts_with(comm) || name.substr(comm.size(), 1) != ".") return {};
  name.remove_prefix(comm.size() + 1);
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || !all_digits(name.substr(0, dot))) return {};
  name.remove_prefix(dot + 1);
  // "20260101T000000Z"
  constexpr std::size_t kStamp = 16;
  if (name.size() <= kStamp || name[8] != 'T' || name[15] != 'Z' ||
      !all_digits(name.substr(0, 8)) || !all_digits(name.substr(9, 6))) {
    return {};
  }
  std::string stamp(name.substr(0, kStamp));
  name.remove_prefix(kStamp);
  unsigned long number = 0;
  if (name.starts_with("-")) {
    const std::size_t end = name.find('.');
    const std::string_view digits = name.substr(1, end == std::string_view::npos ? end : end - 1);
    if (!all_digits(digits) || digits.size() > 4) return {};
    number = std::stoul(std::string(digits));
    name.remove_prefix(1 + digits.size());
  }
  for (const char* kind : {".core", ".core.zst", ".dmp", ".dmp.zst"}) {
    if (name == kind || name == std::string(kind) + ".partial") return {std::move(stamp), number};
  }
  return {};
}

}  // namespace

std::vector<std::string> surplus_dumps(const std::vector<std::string>& names, std::string_view comm,
                                       std::size_t keep) {
  const std::string reduced = reduce_comm(comm);
  std::vector<std::pair<std::pair<std::string, unsigned long>, std::string>> dumps;
  for (const std::string& name : names) {
    auto age = age_of(name, reduced);
    if (!age.first.empty()) dumps.emplace_back(std::move(age), name);
  }
  std::sort(dumps.begin(), dumps.end());
  std::vector<std::string> surplus;
  for (std::size_t i = 0; i + keep < dumps.size(); ++i) surplus.push_back(dumps[i].second);
  return surplus;
}

Result<std::size_t> remove_surplus(Sys& sys, const std::string& directory, std::string_view comm,
                                   std::size_t keep) {
  const std::string path = directory.empty() ? "." : directory;
  const long opened = sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  DOPPEL_TRY(check(opened, "open directory", path));
  const UniqueFd fd(static_cast<int>(opened));
  const std::vector<std::string> names = DOPPEL_TRY(list_directory(sys, fd.get(), directory));
  std::size_t removed = 0;
  Result<> refused;
  for (const std::string& name : surplus_dumps(names, comm, keep)) {
    struct stat facts{};
    const bool file = sys.fstatat(fd.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) >= 0 &&
                      S_ISREG(facts.st_mode);
    if (!file) continue;
    if (const long value = sys.unlinkat(fd.get(), name.c_str(), 0); value < 0) {
      refused = fail_errno(static_cast<int>(-value), "remove an old dump", name);
    } else {
      ++removed;
    }
  }
  DOPPEL_TRY(std::move(refused));
  return removed;
}

}  // namespace doppel
