// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <cli/error_sentence.h>
#include <cli/memory_guard.h>
#include <cli/output.h>
#include <cli/report.h>
#include <cli/run/dump_job.h>
#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <snapshot/linux/held_snapshot.h>
#include <snapshot/linux/tracer_messages.h>
#include <snapshot/support/error_text.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;

void put(std::span<char> to, std::string_view text) {
  const std::size_t size = std::min(text.size(), to.size() - 1);
  std::memcpy(to.data(), text.data(), size);
  to[size] = '\0';
}

/// Closes every descriptor but these: sockets and files of the service are not the writer's.
void close_all_but(Sys& sys, std::vector<unsigned> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned next = 0;
  for (const unsigned fd : keep) {
    if (fd > next) (void)sys.close_range(next, fd - 1, 0);
    next = fd + 1;
  }
  (void)sys.close_range(next, ~0u, 0);
}

/// Only stacks and what registers point at.
void keep_first_reads(Selection& selection, std::uint64_t repeats) {
  const auto is_rest = [](const Segment& segment) {
    return segment.content == Content::bytes && segment.priority != 0;
  };
  for (const Segment& segment : selection.segments) {
    if (!is_rest(segment)) continue;
    selection.omissions.push_back(
        {.what = "memory",
         .range = segment.range,
         .why = repeats > 1 ? fmt::format("crash number {} of this kind: stacks only", repeats)
                            : std::string("too little space: stacks only"),
         .asked = true});
  }
  std::erase_if(selection.segments, is_rest);
}

/// The writer's report with the milestones of the crash, in us since the signal was seen. It is
/// written last, so that it can tell when the dump was done.
std::string report_with_timeline(const WriteReport& report, const HandoverTimes& times,
                                 const DumpOrder& order, std::uint64_t begun_ns) {
  std::string text = write_report_json(report);
  const auto us = [&](std::uint64_t ns) {
    return ns > times.signal_ns ? (ns - times.signal_ns) / 1000 : 0;
  };
  text.pop_back();
  return text + fmt::format(
                    ",\"timeline\":{{\"signal_us\":0,\"parked_us\":{},"
                    "\"handed_over_us\":{},\"dead_us\":{},\"all_clear_us\":{},"
                    "\"reaped_us\":{},\"first_byte_us\":{},\"done_us\":{}}}}}",
                    us(times.parked_ns), us(times.handed_over_ns), us(times.dead_ns),
                    us(order.all_clear_ns), us(order.reaped_ns), us(begun_ns), us(monotonic_ns()));
}

/// The writer, in its own process.
class Writer {
 public:
  Writer(Sys& sys, const ServiceOptions& options, const DumpOrder& order, int socket)
      : sys_(sys), options_(options), order_(order), socket_(socket) {}

  DumpReport run(HandedOver& taken, HeldFiles files, const AllClear& clear);

 private:
  struct Ordered {
    Result<WriteReport> written;
    std::string path;
  };

  Result<DumpPlan> plan(const Snapshot& snapshot, bool small);
  std::optional<std::string> open(const ProcessImage& image, std::int64_t seconds);
  void give_back(std::span<const AddressRange> ranges) const;
  Result<WriteReport> pour(Snapshot snapshot, DumpPlan plan);

  Sys& sys_;
  const ServiceOptions& options_;
  const DumpOrder& order_;
  HandoverTimes times_;
  int socket_;
  Output output_;
  DumpReport report_;
  std::string warning_;
};

Result<DumpPlan> Writer::plan(const Snapshot& snapshot, bool small) {
  Selection selection =
      DOPPEL_TRY(select(snapshot.image, *snapshot.memory, {.filter = options_.filter}));
  if (small) keep_first_reads(selection, order_.repeats);
  DumpPlan plan = DOPPEL_TRY(find_format(options_.format)->plan(snapshot.image, selection));
  CaptureReport losses;
  losses.omissions = snapshot.image.omissions;
  losses.omissions.insert(losses.omissions.end(), selection.omissions.begin(),
                          selection.omissions.end());
  report_.losses = has_losses(losses);
  return plan;
}

/// The reason when it cannot be opened.
std::optional<std::string> Writer::open(const ProcessImage& image, std::int64_t seconds) {
  const std::string directory =
      options_.dump_directory.empty() ? "./" : options_.dump_directory + "/";
  auto opened = open_output(sys_, {.given = directory,
                                   .option = "--dump-dir",
                                   .comm = order_.comm,
                                   .pid = image.process.pid,
                                   .seconds = seconds,
                                   .compressed = options_.compress,
                                   .kind = options_.format == "minidump" ? "dmp" : "core",
                                   .stdout_is_terminal = false});
  if (const auto* message = std::get_if<Message>(&opened)) return to_line(*message);
  output_ = std::move(std::get<Output>(opened));
  return std::nullopt;
}

/// From any thread. A watcher that is busy is not waited for: the pages go with the holder.
void Writer::give_back(std::span<const AddressRange> ranges) const {
  while (!ranges.empty()) {
    TracerRequest request;
    request.count = static_cast<std::uint32_t>(std::min(ranges.size(), TracerRequest::kMostRanges));
    std::copy_n(ranges.begin(), request.count, request.ranges);
    ranges = ranges.subspan(request.count);
    if (!send_packet(sys_, socket_, std::as_bytes(std::span(&request, 1)), {}, false)) return;
  }
}

Result<WriteReport> Writer::pour(Snapshot snapshot, DumpPlan plan) {
  std::uint64_t memory = 0;
  for (const Region& region : snapshot.image.regions) memory += region.anonymous + region.swapped;
  WriteOptions write_options;
  write_options.compress = options_.compress;
  if (options_.level) write_options.level = *options_.level;
  if (options_.threads) write_options.threads = *options_.threads;
  // What is given back cannot be read again, and would be needed if the disk filled up.
  const SizeEstimate estimate = estimate_dump(memory, options_.compress);
  write_options.release = !output_.free_space || *output_.free_space >= estimate.most;
  write_options.sys = &sys_;
  write_options.attachment = [this, begun = monotonic_ns()](const WriteReport& report) {
    return report_with_timeline(report, times_, order_, begun);
  };
  std::optional<MemoryGuard> guard;
  if (order_.watch_memory_of != 0) guard.emplace(sys_, order_.watch_memory_of);
  WriteJob job = WriteJob::start(std::move(snapshot), std::move(plan), std::move(output_.sink),
                                 std::move(write_options));
  if (guard) guard->watch([&job](const std::string& reason) { job.cut_short(reason); });
  while (!job.wait_for(0ms)) {
    pollfd poll{socket_, POLLIN, 0};
    const bool told = sys_.poll(&poll, 1, 50) > 0;
    // One byte: cut it short. An end of file: the watcher is gone, and the memory with it.
    if (!told) continue;
    char byte = 0;
    const long got = sys_.read(socket_, &byte, 1);
    job.cut_short(got == 1 ? "asked to end" : "doppel was killed");
    if (got <= 0) break;
  }
  if (guard) guard->stop();
  return std::move(job).wait();
}

DumpReport Writer::run(HandedOver& taken, HeldFiles files, const AllClear& clear) {
  const std::int64_t seconds = taken.crashed_at_ns / 1'000'000'000;
  times_ = taken.times;
  Result<Snapshot> snapshot =
      make_held_snapshot(sys_, taken, std::move(files), clear,
                         [this](std::span<const AddressRange> ranges) { give_back(ranges); });
  if (!snapshot) {
    put(report_.why, error_text(snapshot.error()));
    return report_;
  }
  report_.threads = snapshot->image.threads.size();
  if (auto why = open(snapshot->image, seconds)) {
    put(report_.why, *why);
    return report_;
  }
  std::uint64_t memory = 0;
  for (const Region& region : snapshot->image.regions) memory += region.anonymous;
  const SizeEstimate estimate = estimate_dump(memory, options_.compress);
  bool small = order_.size == DumpSize::small;
  if (!small && output_.free_space && *output_.free_space < estimate.least) {
    small = true;
    warning_ = "too little space for a full dump: registers and stacks only";
    report_.losses = true;
  }
  Result<DumpPlan> made = plan(*snapshot, small);
  if (!made) {
    put(report_.why, error_text(made.error()));
    return report_;
  }
  const std::string path = output_.path.value_or("");
  Result<WriteReport> written = pour(std::move(*snapshot), std::move(*made));
  if (!written) {
    put(report_.why, to_line(output_sentence(written.error(), path, "--dump-dir")));
    return report_;
  }
  report_.written = true;
  report_.cut_short = written->cut_short;
  report_.losses =
      report_.losses || written->cut_short || !written->zero_filled.empty() || !warning_.empty();
  report_.dump_bytes = written->file_bytes;
  report_.memory_bytes = written->memory_bytes;
  report_.write_ms = static_cast<std::uint64_t>(written->elapsed.count());
  put(report_.path, path);
  put(report_.why, written->cut_short ? written->cut_reason : warning_);
  return report_;
}

}  // namespace

Result<std::unique_ptr<DumpJob>> DumpJob::start(Sys& sys, const ServiceOptions& options,
                                                const DumpOrder& order, HandedOver taken,
                                                AllClear clear) {
  std::unique_ptr<DumpJob> job(
      new DumpJob(sys, options, order, std::move(taken), std::move(clear)));
  int pair[2] = {-1, -1};
  DOPPEL_TRY(check(sys.socketpair(pair), "make a channel to the writer"));
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  HeldFiles files = DOPPEL_TRY(open_held_files(sys, job->taken_));
  const long pid = sys.fork();
  if (pid == 0) {
    (void)sys.setsid();
    (void)sys.prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("doppel-writer"));
    // A file that may not grow as it must is an error like a full disk, and no death.
    rlimit limit{};
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0) {
      limit.rlim_cur = limit.rlim_max;
      (void)setrlimit(RLIMIT_FSIZE, &limit);
    }
    const CloneFiles& clone = files.files;
    std::vector<unsigned> keep = {static_cast<unsigned>(theirs.get()),
                                  static_cast<unsigned>(job->taken_.memory.get()),
                                  static_cast<unsigned>(files.holder.pidfd()),
                                  static_cast<unsigned>(files.holder.directory()),
                                  static_cast<unsigned>(files.holder.tasks())};
    for (const UniqueFd* each : {&clone.memory, &clone.pagemap, &clone.maps, &clone.smaps,
                                 &clone.target_memory, &clone.target_pagemap}) {
      keep.push_back(static_cast<unsigned>(each->get()));
    }
    close_all_but(sys, std::move(keep));
    Writer writer(sys, options, job->order_, theirs.get());
    const DumpReport report = writer.run(job->taken_, std::move(files), job->clear_);
    (void)send_packet(sys, theirs.get(), std::as_bytes(std::span(&report, 1)));
    // Not one destructor: what they would end is the watcher's.
    ::_exit(report.written ? 0 : 1);
  }
  DOPPEL_TRY(check(pid, "start the writer"));
  job->writer_ = static_cast<pid_t>(pid);
  job->socket_ = std::move(ours);
  // Now the writer's alone.
  job->taken_.arena.reset();
  job->taken_.memory.reset();
  return job;
}

DumpJob::~DumpJob() {
  if (writer_ != 0) (void)sys_.kill(writer_, SIGKILL);
  bury();
}

void DumpJob::bury() {
  socket_.reset();
  if (writer_ != 0) {
    siginfo_t info{};
    long value = 0;
    do {
      value = sys_.waitid(P_PID, writer_, &info, WEXITED);
    } while (value == -EINTR);
    writer_ = 0;
  }
  if (taken_.holder) taken_.holder->end();
}

bool DumpJob::serve() {
  static_assert(sizeof(TracerRequest) != sizeof(DumpReport));

  union {
    TracerRequest request;
    DumpReport report;
  } message = {.report = {}};

  Result<std::size_t> size =
      receive_packet(sys_, socket_.get(), std::as_writable_bytes(std::span(&message, 1)));
  if (size && *size == sizeof message.request) {
    const std::uint32_t count =
        std::min<std::uint32_t>(message.request.count, TracerRequest::kMostRanges);
    taken_.holder->give_back(std::span(message.request.ranges, count));
    return false;
  }
  if (size && *size == sizeof message.report) {
    report_ = message.report;
  } else {
    put(report_.why, "the writer was killed");
  }
  bury();
  return true;
}

void DumpJob::cut_short() {
  (void)sys_.write(socket_.get(), "x", 1);
}

}  // namespace doppel
