// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>

#include <dumpwriter/sink/file_sink.h>

namespace doppel {
namespace {

constexpr unsigned kMode = 0600;
constexpr std::uint64_t kWriteBehindStep = 8 << 20;

struct PathParts {
  std::string directory;
  std::string name;
};

PathParts split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

bool is_real_failure(long value) {
  return value == -EIO || value == -ENOSPC || value == -EDQUOT;
}

}  // namespace

FileSink::FileSink(Sys& sys, UniqueFd directory, std::string directory_path, std::string name)
    : sys_(sys),
      directory_(std::move(directory)),
      directory_path_(std::move(directory_path)),
      name_(std::move(name)) {}

Result<std::unique_ptr<FileSink>> FileSink::create(const std::string& path, Sys& sys) {
  PathParts parts = split(path);
  if (parts.name.empty() || parts.name == "." || parts.name == "..") {
    return fail_errno(EISDIR, "create dump", path);
  }
  const long directory =
      DOPPEL_TRY(check(sys.openat(AT_FDCWD, parts.directory.c_str(), O_RDONLY | O_DIRECTORY),
                       "open output directory", parts.directory));
  std::unique_ptr<FileSink> sink(new FileSink(sys, UniqueFd(static_cast<int>(directory)),
                                              std::move(parts.directory), std::move(parts.name)));
  struct stat facts{};
  const long found =
      sys.fstatat(sink->directory_.get(), sink->name_.c_str(), &facts, AT_SYMLINK_NOFOLLOW);
  if (found >= 0) return fail_errno(EEXIST, "create dump", path);
  if (found != -ENOENT) return fail_errno(static_cast<int>(-found), "create dump", path);
  DOPPEL_TRY(sink->open_file());
  return sink;
}

Result<> FileSink::open_file() {
  long file = sys_.openat(directory_.get(), ".", O_TMPFILE | O_RDWR, kMode);
  // EOPNOTSUPP: this file system has none. EISDIR and ENOENT: this kernel has none (open(2)).
  if (file == -EOPNOTSUPP || file == -EISDIR || file == -ENOENT || file == -EINVAL) {
    static std::atomic<unsigned> count{0};
    std::string partial = "." + name_.substr(0, 200) + "." + std::to_string(::getpid()) + "-" +
                          std::to_string(++count) + ".partial";
    file = sys_.openat(directory_.get(), partial.c_str(), O_RDWR | O_CREAT | O_EXCL, kMode);
    if (file >= 0) partial_ = std::move(partial);
  }
  if (file < 0) return fail_errno(static_cast<int>(-file), "create dump", path());
  file_ = UniqueFd(static_cast<int>(file));
  // The umask may have taken the owner's own bits away.
  DOPPEL_TRY(check(sys_.fchmod(file_.get(), kMode), "set mode of dump", path()));
  return {};
}

FileSink::~FileSink() {
  if (!partial_.empty()) (void)sys_.unlinkat(directory_.get(), partial_.c_str(), 0);
}

Result<> FileSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const long taken = sys_.write(file_.get(), bytes.data(), bytes.size());
    if (taken == -EINTR) continue;
    if (taken < 0) return fail_errno(static_cast<int>(-taken), "write dump", path());
    if (taken == 0) return fail_errno(ENOSPC, "write dump", path());
    bytes = bytes.subspan(static_cast<std::size_t>(taken));
    position_ += static_cast<std::uint64_t>(taken);
    hole_at_end_ = false;
  }
  return write_behind();
}

Result<> FileSink::write_zeros(std::uint64_t count) {
  if (count == 0) return {};
  position_ += count;
  DOPPEL_TRY(check(sys_.lseek(file_.get(), static_cast<std::int64_t>(position_), SEEK_SET),
                   "write dump", path()));
  hole_at_end_ = true;
  return {};
}

Result<> FileSink::write_behind() {
  if (position_ - sent_ < kWriteBehindStep) return {};
  // Wait for the step before this one, so that at most two steps are in flight; then forget it.
  if (sent_ > settled_) {
    const std::uint64_t size = sent_ - settled_;
    const long waited = sys_.invoke(SYS_sync_file_range, file_.get(), static_cast<long>(settled_),
                                    static_cast<long>(size), SYNC_FILE_RANGE_WAIT_BEFORE);
    if (is_real_failure(waited)) {
      return fail_errno(static_cast<int>(-waited), "write dump", path());
    }
    (void)sys_.invoke(SYS_fadvise64, file_.get(), static_cast<long>(settled_),
                      static_cast<long>(size), POSIX_FADV_DONTNEED);
    settled_ = sent_;
  }
  const long started = sys_.invoke(SYS_sync_file_range, file_.get(), static_cast<long>(sent_),
                                   static_cast<long>(position_ - sent_), SYNC_FILE_RANGE_WRITE);
  if (is_real_failure(started)) {
    return fail_errno(static_cast<int>(-started), "write dump", path());
  }
  sent_ = position_;
  return {};
}

Result<> FileSink::commit() {
  if (hole_at_end_) {
    DOPPEL_TRY(check(sys_.ftruncate(file_.get(), position_), "write dump", path()));
    hole_at_end_ = false;
  }
  // A file system without fsync (some FUSE ones) says EINVAL or ENOSYS; there is no more to do.
  const long synced = sys_.fsync(file_.get());
  if (synced < 0 && synced != -EINVAL && synced != -ENOSYS && synced != -EOPNOTSUPP) {
    return fail_errno(static_cast<int>(-synced), "write dump to disk", path());
  }
  DOPPEL_TRY(publish());
  // The name, too. Its loss in a power cut would lose the dump, but the dump is whole: no failure.
  (void)sys_.fsync(directory_.get());
  return {};
}

Result<> FileSink::publish() {
  const char* const step = "publish dump";
  if (partial_.empty()) {
    const std::string by_fd = "/proc/self/fd/" + std::to_string(file_.get());
    long linked =
        sys_.linkat(AT_FDCWD, by_fd.c_str(), directory_.get(), name_.c_str(), AT_SYMLINK_FOLLOW);
    // Without /proc; needs CAP_DAC_READ_SEARCH on older kernels (open(2), O_TMPFILE).
    if (linked == -ENOENT) {
      linked = sys_.linkat(file_.get(), "", directory_.get(), name_.c_str(), AT_EMPTY_PATH);
    }
    DOPPEL_TRY(check(linked, step, path()));
    return {};
  }
  long moved = sys_.renameat2(directory_.get(), partial_.c_str(), directory_.get(), name_.c_str(),
                              RENAME_NOREPLACE);
  if (moved == -EINVAL || moved == -ENOSYS || moved == -EOPNOTSUPP) {
    moved = sys_.linkat(directory_.get(), partial_.c_str(), directory_.get(), name_.c_str(), 0);
    if (moved >= 0) (void)sys_.unlinkat(directory_.get(), partial_.c_str(), 0);
  }
  DOPPEL_TRY(check(moved, step, path()));
  partial_.clear();
  return {};
}

void FileSink::publish_as(std::string name) {
  assert(!name.empty() && name.find('/') == std::string::npos);
  name_ = std::move(name);
}

std::string FileSink::path() const {
  if (directory_path_ == ".") return name_;
  return directory_path_ == "/" ? "/" + name_ : directory_path_ + "/" + name_;
}

Result<std::uint64_t> FileSink::free_space() const {
  struct statfs facts{};
  DOPPEL_TRY(check(sys_.fstatfs(file_.get(), &facts), "look at free space", directory_path_));
  const auto unit =
      static_cast<std::uint64_t>(facts.f_frsize != 0 ? facts.f_frsize : facts.f_bsize);
  return static_cast<std::uint64_t>(facts.f_bavail) * unit;
}

}  // namespace doppel
