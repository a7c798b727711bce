// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include <dumpwriter/read/file_source.h>

namespace doppel {

FileSource::FileSource(Sys& sys, UniqueFd file, std::string path, std::uint64_t size)
    : sys_(sys), file_(std::move(file)), path_(std::move(path)), size_(size) {}

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path, Sys& sys) {
  // O_NONBLOCK: a FIFO must not hold us until someone writes.
  const long fd = DOPPEL_TRY(
      check(sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK), "open dump", path));
  UniqueFd file(static_cast<int>(fd));
  struct stat facts{};
  DOPPEL_TRY(check(sys.fstat(file.get(), &facts), "open dump", path));
  if (S_ISDIR(facts.st_mode)) return fail_errno(EISDIR, "open dump", path);
  if (!S_ISREG(facts.st_mode)) return fail(Errc::unsupported, "open dump: not a file", path);
  return std::unique_ptr<FileSource>(
      new FileSource(sys, std::move(file), path, static_cast<std::uint64_t>(facts.st_size)));
}

Result<std::size_t> FileSource::read(std::uint64_t offset, std::span<std::byte> to) const {
  if (offset >= size_) return 0;
  to = to.first(std::min<std::uint64_t>(to.size(), size_ - offset));
  std::size_t done = 0;
  while (done < to.size()) {
    const long count = sys_.pread(file_.get(), to.data() + done, to.size() - done, offset + done);
    if (count == -EINTR) continue;
    if (count < 0) return fail_errno(static_cast<int>(-count), "read dump", path_);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace doppel
