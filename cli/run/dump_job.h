// SPDX-License-Identifier: Apache-2.0
//
// The dump of one crash on its way. A process of its own writes it: whatever a dead program's
// memory does to the writer, the one that watches the services goes on. The memory stays with the
// watcher, which alone may work on its holder; the writer asks it to give back pages that are
// written.
#ifndef DOPPEL_CLI_RUN_DUMP_JOB_H_
#define DOPPEL_CLI_RUN_DUMP_JOB_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include <cli/options.h>
#include <cli/run/crash_governor.h>
#include <snapshot/linux/handover.h>
#include <snapshot/linux/shedding.h>

namespace doppel {

/// What the writer says at its end. Plain data: it crosses a process border.
struct DumpReport {
  bool written = false;  ///< there is a dump at `path`
  bool losses = false;   ///< something is missing that nobody asked to leave out
  bool cut_short = false;
  std::uint64_t dump_bytes = 0, memory_bytes = 0, write_ms = 0, threads = 0;
  char path[4096] = {};
  char why[1024] = {};  ///< of a failure, a cut or a warning
};

struct DumpOrder {
  DumpSize size = DumpSize::full;
  std::string comm;
  pid_t watch_memory_of = 0;  ///< the new instance: its memory must not run short; 0: none
  std::uint64_t repeats = 0;  ///< of this crash
  std::uint64_t all_clear_ns = 0, reaped_ns = 0;  ///< CLOCK_MONOTONIC, as in HandoverTimes
};

class DumpJob {
 public:
  /// Starts the writer; it is a child of the calling process, which traces the holder.
  static Result<std::unique_ptr<DumpJob>> start(Sys& sys, const ServiceOptions& options,
                                                const DumpOrder& order, HandedOver taken,
                                                AllClear clear);
  DumpJob(const DumpJob&) = delete;
  DumpJob& operator=(const DumpJob&) = delete;
  /// Ends writer and holder; a dump that is not published yet is none.
  ~DumpJob();

  /// To be polled for reading.
  int fd() const { return socket_.get(); }

  pid_t writer() const { return writer_; }

  pid_t process() const { return taken_.process; }

  const HandoverTimes& times() const { return taken_.times; }

  const DumpOrder& order() const { return order_; }

  /// Takes what the writer has said. True when it has ended: report() is final, the memory is gone.
  bool serve();

  /// The dump is to be closed with what is in it.
  void cut_short();

  const DumpReport& report() const { return report_; }

 private:
  DumpJob(Sys& sys, const ServiceOptions& options, const DumpOrder& order, HandedOver taken,
          AllClear clear)
      : sys_(sys),
        options_(options),
        order_(order),
        taken_(std::move(taken)),
        clear_(std::move(clear)) {}

  [[noreturn]] void write(int socket, int error_stream);
  void bury();

  Sys& sys_;
  const ServiceOptions& options_;
  DumpOrder order_;
  HandedOver taken_;
  AllClear clear_;
  UniqueFd socket_;
  pid_t writer_ = 0;
  DumpReport report_;
};

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_DUMP_JOB_H_
