// SPDX-License-Identifier: Apache-2.0
//
// A sink over a descriptor that someone else owns: standard output, a pipe, a socket. Nothing can
// be taken back from it, so "no trace" holds only for what was not yet written.
//
// A reader that stands still must not hold up a Ctrl-C for ever: the sink never blocks inside
// write(2) on a pipe or socket, it waits in poll(2) beside a descriptor that interrupt() makes
// readable. O_NONBLOCK is not set: it would belong to everyone who shares the open file, a
// terminal for one.
#ifndef DOPPEL_DUMPWRITER_SINK_FD_SINK_H_
#define DOPPEL_DUMPWRITER_SINK_FD_SINK_H_

#include <memory>

#include <dumpwriter/sink/sink.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

/// The thread that calls write() must have SIGPIPE blocked or ignored (WriteJob's threads have);
/// a closed pipe is then Errc::os with EPIPE.
class FdSink final : public Sink {
 public:
  /// `fd` must stay open for the life of the sink and is not closed by it.
  static Result<std::unique_ptr<FdSink>> create(int fd, Sys& sys = Sys::real());

  Result<> write(std::span<const std::byte> bytes) override;
  /// Everything is visible already. Nothing is synchronised to a disk.
  Result<> commit() override;
  void interrupt() override;

 private:
  enum class Kind { pipe, pipe_in_small_steps, socket, other };

  FdSink(Sys& sys, int fd, Kind kind, UniqueFd wake_read, UniqueFd wake_write);
  /// Until the descriptor takes bytes; Errc::cancelled after interrupt().
  Result<> wait_until_writable();
  /// One attempt that does not block; bytes taken or -errno.
  long write_some(std::span<const std::byte> bytes);

  Sys& sys_;
  int fd_;
  Kind kind_;
  UniqueFd wake_read_, wake_write_;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_SINK_FD_SINK_H_
