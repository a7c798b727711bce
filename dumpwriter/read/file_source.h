// SPDX-License-Identifier: Apache-2.0
//
// A plain file as a ByteSource. Read, never mapped: a file that someone shortens meanwhile gives
// fewer bytes, not SIGBUS.
#ifndef DOPPEL_DUMPWRITER_READ_FILE_SOURCE_H_
#define DOPPEL_DUMPWRITER_READ_FILE_SOURCE_H_

#include <memory>
#include <string>

#include <dumpwriter/read/byte_source.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

class FileSource final : public ByteSource {
 public:
  /// Errc::os with ENOENT, EISDIR and so on; Errc::unsupported for what has no size (a pipe).
  static Result<std::unique_ptr<FileSource>> open(const std::string& path, Sys& sys = Sys::real());

  std::uint64_t size() const override { return size_; }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> to) const override;

 private:
  FileSource(Sys& sys, UniqueFd file, std::string path, std::uint64_t size);

  Sys& sys_;
  UniqueFd file_;
  std::string path_;
  std::uint64_t size_;  ///< when it was opened
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_FILE_SOURCE_H_
