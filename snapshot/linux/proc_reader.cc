// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

// The kernel's struct linux_dirent64 is glibc's dirent64 on x86-64.
constexpr std::size_t kNameOffset = offsetof(dirent64, d_name);

Result<std::string> read_link_at(Sys& sys, int dir, const char* name) {
  std::string target(256, '\0');
  // PATH_MAX is what the kernel can answer; a link of /proc has no length to ask for beforehand.
  while (true) {
    const long size = DOPPEL_TRY(
        check(sys.readlinkat(dir, name, target.data(), target.size()), "read link", name));
    const auto length = static_cast<std::size_t>(size);
    if (length < target.size()) {
      target.resize(length);
      return target;
    }
    if (target.size() >= (64u << 10)) return fail(Errc::limit, "read link", name);
    target.resize(target.size() * 4);
  }
}

}  // namespace

Result<std::string> read_whole(Sys& sys, int fd, std::string_view subject, std::size_t limit) {
  std::string text;
  std::size_t size = 0;
  while (true) {
    if (text.size() - size < 4096) text.resize(text.size() < 4096 ? 8192 : text.size() * 2);
    const long got = sys.read(fd, text.data() + size, text.size() - size);
    if (got == -EINTR) continue;
    if (got < 0) return fail_errno(static_cast<int>(-got), "read file", std::string(subject));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > limit) return fail(Errc::limit, "read file: too long", std::string(subject));
  }
  text.resize(size);
  return text;
}

Result<std::string> read_system_file(Sys& sys, const char* path, std::size_t limit) {
  const long fd = DOPPEL_TRY(check(sys.openat(AT_FDCWD, path, O_RDONLY), "open file", path));
  const UniqueFd file(static_cast<int>(fd));
  return read_whole(sys, file.get(), path, limit);
}

Result<Smaps> read_smaps(Sys& sys, int fd, std::string_view subject) {
  SmapsParser parser;
  std::string buffer(64 << 10, '\0');
  while (true) {
    const long got = sys.read(fd, buffer.data(), buffer.size());
    if (got == -EINTR) continue;
    if (got < 0) return fail_errno(static_cast<int>(-got), "read file", std::string(subject));
    if (got == 0) return parser.finish();
    DOPPEL_TRY(parser.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
  }
}

Result<std::vector<std::string>> list_directory(Sys& sys, int fd, std::string_view subject) {
  std::vector<std::string> names;
  alignas(dirent64) std::array<char, 32768> buffer;
  while (true) {
    const long got = DOPPEL_TRY(
        check(sys.getdents64(fd, buffer.data(), buffer.size()), "list", std::string(subject)));
    if (got == 0) return names;
    std::size_t at = 0;
    while (at + kNameOffset < static_cast<std::size_t>(got)) {
      std::uint16_t length = 0;
      std::memcpy(&length, buffer.data() + at + offsetof(dirent64, d_reclen), sizeof length);
      if (length <= kNameOffset || at + length > static_cast<std::size_t>(got)) {
        return fail(Errc::malformed, "list", std::string(subject));
      }
      const char* name = buffer.data() + at + kNameOffset;
      const std::string_view view(name, ::strnlen(name, length - kNameOffset));
      if (view != "." && view != "..") names.emplace_back(view);
      at += length;
    }
  }
}

Result<ProcDir> ProcDir::open(Sys& sys, pid_t pid, const char* proc) {
  const std::string path = std::string(proc) + "/" + std::to_string(pid);
  const long fd = sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  // With hidepid= the directory of another user's process is not there at all.
  if (fd == -ENOENT) return fail(Errc::gone, "open process", std::to_string(pid), ENOENT);
  if (fd < 0) return fail_errno(static_cast<int>(-fd), "open process", std::to_string(pid));
  return ProcDir(sys, pid, UniqueFd(static_cast<int>(fd)));
}

Result<ProcDir> ProcDir::task(pid_t tid) const {
  const std::string name = "task/" + std::to_string(tid);
  const long fd = sys_->openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd == -ENOENT) return fail(Errc::gone, "open thread", std::to_string(tid), ENOENT);
  if (fd < 0) return failure(static_cast<int>(-fd), "open thread", name.c_str());
  return ProcDir(*sys_, tid, UniqueFd(static_cast<int>(fd)));
}

std::unexpected<Error> ProcDir::failure(int os, const char* step, const char* name) const {
  std::string subject = std::to_string(id_) + "/" + name;
  if (os != ENOENT) return fail_errno(os, step, std::move(subject));
  // ENOENT says either that the process is gone (fs/proc/base.c: no task behind the inode) or that
  // the kernel has no such file. "stat" is there in every kernel for as long as the process is.
  struct stat unused;
  const long alive = sys_->fstatat(fd_.get(), "stat", &unused, 0);
  return fail(alive < 0 ? Errc::gone : Errc::unsupported, step, std::move(subject), os);
}

Result<UniqueFd> ProcDir::open_file(const char* name, int flags) const {
  const long fd = sys_->openat(fd_.get(), name, flags);
  if (fd < 0) return failure(static_cast<int>(-fd), "open file", name);
  return UniqueFd(static_cast<int>(fd));
}

Result<std::string> ProcDir::read_text(const char* name, std::size_t limit) const {
  const UniqueFd file = DOPPEL_TRY(open_file(name, O_RDONLY));
  return read_whole(*sys_, file.get(), std::to_string(id_) + "/" + name, limit);
}

Result<> ProcDir::read_pieces(const char* name,
                              const std::function<Result<>(std::string_view)>& take) const {
  const UniqueFd file = DOPPEL_TRY(open_file(name, O_RDONLY));
  std::string buffer(64 << 10, '\0');
  while (true) {
    const long got = sys_->read(file.get(), buffer.data(), buffer.size());
    if (got == -EINTR) continue;
    if (got < 0) return failure(static_cast<int>(-got), "read file", name);
    if (got == 0) return {};
    DOPPEL_TRY(take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
  }
}

Result<Smaps> ProcDir::read_smaps(const char* name) const {
  SmapsParser parser;
  DOPPEL_TRY(read_pieces(name, [&](std::string_view piece) { return parser.feed(piece); }));
  return parser.finish();
}

Result<std::string> ProcDir::read_link(const char* name) const {
  auto target = read_link_at(*sys_, fd_.get(), name);
  if (!target && target.error().os != 0) return failure(target.error().os, "read link", name);
  return target;
}

Result<std::vector<std::string>> ProcDir::list(const char* name) const {
  const UniqueFd dir = DOPPEL_TRY(open_file(name, O_RDONLY | O_DIRECTORY));
  auto names = list_directory(*sys_, dir.get(), name);
  if (!names && names.error().os != 0) return failure(names.error().os, "list", name);
  return names;
}

Result<std::vector<pid_t>> ProcDir::list_tasks() const {
  const std::vector<std::string> names = DOPPEL_TRY(list("task"));
  std::vector<pid_t> ids;
  ids.reserve(names.size());
  for (const std::string& name : names) {
    if (const auto id = text::number<pid_t>(name)) ids.push_back(*id);
  }
  // The directory of a process that died while it was read is empty, not an error.
  if (ids.empty()) return fail(Errc::gone, "list threads", std::to_string(id_));
  return ids;
}

Result<std::vector<int>> ProcDir::list_descriptors() const {
  const std::vector<std::string> names = DOPPEL_TRY(list("fd"));
  std::vector<int> numbers;
  numbers.reserve(names.size());
  for (const std::string& name : names) {
    if (const auto number = text::number<int>(name)) numbers.push_back(*number);
  }
  return numbers;
}

}  // namespace doppel
