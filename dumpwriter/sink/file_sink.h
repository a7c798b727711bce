// SPDX-License-Identifier: Apache-2.0
//
// The dump as a file. It has no name until it is whole (O_TMPFILE, then linkat), so a dump that was
// given up, or whose writer was killed, leaves nothing behind; it is readable by its owner only,
// for a dump is full of secrets; and it never takes the place of another file.
//
// Where a file system has no O_TMPFILE the bytes go to `.NAME.PID-N.partial` beside the final
// name; it is removed when the sink is dropped, but stays if the writer is killed.
#ifndef DOPPEL_DUMPWRITER_SINK_FILE_SINK_H_
#define DOPPEL_DUMPWRITER_SINK_FILE_SINK_H_

#include <memory>
#include <string>

#include <dumpwriter/sink/sink.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

class FileSink final : public Sink {
 public:
  /// Fails early, before anything is stopped: directory missing or not writable, read-only file
  /// system, or `path` taken by anything, a dangling link included (Errc::os with EEXIST).
  static Result<std::unique_ptr<FileSink>> create(const std::string& path, Sys& sys = Sys::real());
  ~FileSink() override;

  Result<> write(std::span<const std::byte> bytes) override;
  /// Leaves a hole.
  Result<> write_zeros(std::uint64_t count) override;
  /// Data to the disk, then the name. Errc::os with EEXIST when someone took the name meanwhile;
  /// the bytes are kept then, and commit() may be called again after publish_as().
  Result<> commit() override;

  /// Another final name, in the same directory. `name` holds no '/'.
  void publish_as(std::string name);
  /// Where the file is, or will be after commit().
  std::string path() const;
  /// Bytes that the file system still offers to this user, for a look before the target is stopped.
  Result<std::uint64_t> free_space() const;

 private:
  FileSink(Sys& sys, UniqueFd directory, std::string directory_path, std::string name);
  Result<> open_file();
  Result<> publish();
  /// Keeps the dump out of the page cache: what is written is sent to the disk at once, and let go
  /// of when it is there.
  Result<> write_behind();

  Sys& sys_;
  UniqueFd directory_;
  std::string directory_path_;
  std::string name_;
  UniqueFd file_;
  std::string partial_;  ///< name of the file where O_TMPFILE is not supported; else empty
  std::uint64_t position_ = 0;
  std::uint64_t sent_ = 0;     ///< up to here writing to the disk was started
  std::uint64_t settled_ = 0;  ///< up to here it is on the disk
  bool hole_at_end_ = false;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_SINK_FILE_SINK_H_
