// SPDX-License-Identifier: Apache-2.0
//
// Pours a plan into a sink while the caller goes on. When start() returns, everything the dump
// needs is the job's own: the caller may restart the service, or end.
//
//   auto job = WriteJob::start(std::move(snapshot), std::move(plan), std::move(sink));
//   while (!job.wait_for(100ms)) show(job.progress());
//   auto report = DOPPEL_TRY(std::move(job).wait());
//
// It knows neither processes nor formats.
#ifndef DOPPEL_DUMPWRITER_JOB_WRITE_JOB_H_
#define DOPPEL_DUMPWRITER_JOB_WRITE_JOB_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <dumpwriter/job/write_report.h>
#include <dumpwriter/plan/dump_plan.h>
#include <dumpwriter/sink/sink.h>
#include <snapshot/model/snapshot.h>
#include <snapshot/support/sys.h>

namespace doppel {

struct WriteOptions {
  static constexpr int kDefaultLevel = 1;

  bool compress = true;       ///< false: the plain dump, holes for its zeros where the sink has any
  int level = kDefaultLevel;  ///< zstd's; see FrameCompressor for the bounds
  unsigned threads = 0;  ///< that read and compress; 0: as many as we have CPUs, see cpu_budget.h
  std::size_t block_bytes = 256 << 10;  ///< of one frame before compression; 4 KiB to 1 MiB
  /// Give way to the process that is being dumped, and to everything else: the first thread runs 5
  /// nice levels below the caller's, so that a machine without an idle CPU still gets the dump
  /// done; the others at 19, on what nobody else wants.
  bool background = true;
  bool release = true;  ///< give pages back once they are written, see Memory::release()
  /// Text of the skippable frame after the last block (kAttachmentMagic); empty text or no
  /// function: none. Not written into a dump that is not compressed. Called on the job's thread.
  std::function<std::string(const WriteReport&)> attachment = write_report_json;
  Sys* sys = &Sys::real();
};

struct Progress {
  std::uint64_t done = 0;     ///< bytes of the dump, before compression, that the sink has
  std::uint64_t planned = 0;  ///< known from the first moment
  std::uint64_t file = 0;     ///< bytes that the sink was given
};

/// One owner; its functions may be called from any thread while it lives.
class WriteJob {
 public:
  /// Never fails: what goes wrong comes out of wait().
  static WriteJob start(Snapshot snapshot, DumpPlan plan, std::unique_ptr<Sink> sink,
                        WriteOptions options = {});
  WriteJob(WriteJob&&) noexcept;
  WriteJob& operator=(WriteJob&&) noexcept;
  /// A job that nobody waited for is cancelled.
  ~WriteJob();

  Progress progress() const;
  /// True once wait() would return at once.
  bool wait_for(std::chrono::milliseconds time) const;

  /// Gives the dump up: nothing stays under the final name, the snapshot is dropped, wait() says
  /// Errc::cancelled. Returns at once. Without effect on a job that is done.
  void cancel();
  /// Ends the dump early but keeps it: the snapshot is dropped as soon as the blocks in work are
  /// read, what is written is closed as a shorter dump and published, and report and dump say why.
  /// Headers are written in any case. Returns at once. Without effect once all is read.
  void cut_short(std::string reason);

  /// Errors are the sink's (a full disk, a closed pipe: Errc::os and errno), Errc::cancelled, or
  /// Errc::limit for options out of bounds. The snapshot is dropped by then. When the snapshot's
  /// memory vanishes meanwhile (Errc::gone) that is a dump cut short, not an error.
  Result<WriteReport> wait() &&;

 private:
  class State;
  explicit WriteJob(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_JOB_WRITE_JOB_H_
