// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include <snapshot/linux/clone_removal.h>
#include <snapshot/linux/remote_calls.h>
#include <snapshot/linux/settle_clone.h>
#include <snapshot/linux/tracer_messages.h>
#include <snapshot/linux/tracer_process.h>
#include <snapshot/linux/urgency.h>

namespace doppel {
namespace {

constexpr std::size_t kFiles = 6;  // of CloneFiles, in this order

/// The life of the tracer, in its own process.
class Tracer {
 public:
  Tracer(Sys& sys, const TargetProcess& target, const CaptureArena& arena,
         const SnapshotOrders& orders, int socket)
      : sys_(sys), target_(target), arena_(arena), orders_(orders), socket_(socket) {}

  void stand_apart();
  Result<> open_target_memory();
  Result<> take();
  void serve();
  Result<> clean_up();
  Result<> reply(const Result<>& result, std::span<const int> fds = {});

 private:
  void release(const TracerRequest& request);
  void tend_laggards();

  Sys& sys_;
  const TargetProcess& target_;
  const CaptureArena& arena_;
  const SnapshotOrders& orders_;
  int socket_;
  UniqueFd target_memory_;
  TakenSnapshot taken_;
};

/// Nothing that ends the capturing process, or a terminal, may end this one; and nothing of the
/// capturing process stays open in it.
void Tracer::stand_apart() {
  (void)sys_.setsid();
  (void)sys_.prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("doppel-tracer"));
  // An ignored SIGCHLD would not tell of stops.
  (void)std::signal(SIGCHLD, SIG_DFL);
  std::array<unsigned, 4> keep = {
      static_cast<unsigned>(socket_), static_cast<unsigned>(target_.pidfd()),
      static_cast<unsigned>(target_.directory()), static_cast<unsigned>(target_.tasks())};
  std::sort(keep.begin(), keep.end());
  unsigned next = 0;
  for (const unsigned fd : keep) {
    if (fd > next) (void)sys_.close_range(next, fd - 1, 0);
    next = fd + 1;
  }
  (void)sys_.close_range(next, ~0u, 0);
  // Not swapped out, not chosen when memory runs out. Each is best effort. ONFAULT: lock what is
  // used, do not fill what is only reserved.
  (void)sys_.invoke(SYS_mlockall, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
  const UniqueFd score(
      static_cast<int>(sys_.openat(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY)));
  if (score) (void)sys_.write(score.get(), "-1000", 5);
}

Result<> Tracer::open_target_memory() {
  target_memory_ = DOPPEL_TRY(target_.open_file("mem"));
  return {};
}

/// An error means that the capturing process was not told and waits: then this process must end.
Result<> Tracer::reply(const Result<>& result, std::span<const int> fds) {
  const TracerReply message = TracerReply::of(result);
  return send_packet(sys_, socket_, std::as_bytes(std::span(&message, 1)), fds);
}

Result<> Tracer::take() {
  DOPPEL_TRY(open_target_memory());
  hasten(sys_, 0);
  Result<TakenSnapshot> taken = take_snapshot(sys_, target_, target_memory_.get(), arena_, orders_);
  calm(sys_, 0, 0);
  taken_ = DOPPEL_TRY(std::move(taken));
  ArenaHeader& header = arena_.header();
  header.laggard_count = static_cast<std::uint32_t>(taken_.laggards.size());
  const std::string their = "/proc/" + std::to_string(target_.pid());
  const std::string own =
      taken_.clone ? "/proc/" + std::to_string(taken_.clone->tracee.tid()) : their;
  const std::array<std::string, kFiles> paths = {own + "/mem",   own + "/pagemap",
                                                 own + "/maps",  own + "/smaps",
                                                 their + "/mem", their + "/pagemap"};
  std::array<UniqueFd, kFiles> files;
  std::array<int, kFiles> fds{};
  for (std::size_t i = 0; i < kFiles; ++i) {
    // Only the clone's memory is ever written: its name goes into a page of its own.
    const int flags = i == 0 && taken_.clone ? O_RDWR : O_RDONLY;
    const long fd =
        DOPPEL_TRY(check(sys_.openat(AT_FDCWD, paths[i].c_str(), flags), "open", paths[i]));
    files[i].reset(static_cast<int>(fd));
    fds[i] = files[i].get();
  }
  if (taken_.clone) {
    const Settled settled = settle_clone(sys_, target_, *taken_.clone, files[0].get());
    header.settle_missed = settled.missed;
    header.own_page = settled.page;
  }
  return reply({}, fds);
}

void Tracer::release(const TracerRequest& request) {
  if (!taken_.clone) return;
  RemoteCalls calls(taken_.clone->tracee, taken_.clone->registers, taken_.clone->gadget,
                    RemoteCalls::Of::ours);
  for (std::uint32_t i = 0; i < std::min<std::size_t>(request.count, TracerRequest::kMostRanges);
       ++i) {
    // A sealed or locked mapping refuses: then it just stays.
    (void)calls.call({.number = SYS_madvise,
                      .a = request.ranges[i].begin.value,
                      .b = request.ranges[i].size,
                      .c = MADV_DONTNEED});
  }
}

/// A thread that did not stop in time does so some day; it must not stand there for ever.
void Tracer::tend_laggards() {
  for (auto& thread : taken_.laggards) {
    if (!thread->collect(monotonic_ns()) && thread->tid() == 0) continue;
    if (thread->tracee().stopped()) {
      (void)thread->release();
      thread.reset();
    } else if (thread->tracee().dead()) {
      thread->tracee().reap();
      thread.reset();
    }
  }
  std::erase(taken_.laggards, nullptr);
}

/// Until the capturing process says so, or is gone.
void Tracer::serve() {
  while (true) {
    if (!taken_.laggards.empty()) {
      pollfd poll{socket_, POLLIN, 0};
      const long ready = sys_.poll(&poll, 1, 10);
      tend_laggards();
      if (ready <= 0) continue;
    }
    TracerRequest request;
    Result<std::size_t> size =
        receive_packet(sys_, socket_, std::as_writable_bytes(std::span(&request, 1)));
    if (!size || *size != sizeof request) return;
    if (request.kind == TracerRequest::Kind::finish) return;
    release(request);
  }
}

Result<> Tracer::clean_up() {
  ArenaHeader& header = arena_.header();
  tend_laggards();
  if (taken_.clone) taken_.clone->tracee.abandon();
  for (auto& thread : taken_.laggards) thread->tracee().abandon();
  DOPPEL_TRY(remove_tasks(sys_, target_, arena_, orders_));
  header.clone = 0;
  header.helper = 0;
  return {};
}

}  // namespace

Result<std::unique_ptr<TracerProcess>> TracerProcess::start(Sys& sys, const TargetProcess& target,
                                                            const CaptureArena& arena,
                                                            const SnapshotOrders& orders) {
  std::unique_ptr<TracerProcess> process(new TracerProcess(sys, target, arena, orders));
  DOPPEL_TRY(process->launch(false));
  Result<> taken = process->await_reply(&process->files_);
  if (!taken) {
    (void)process->finish();
    return fail(std::move(taken.error()));
  }
  return process;
}

TracerProcess::~TracerProcess() {
  (void)finish();
}

Result<> TracerProcess::launch(bool repair) {
  int pair[2] = {-1, -1};
  DOPPEL_TRY(check(sys_.socketpair(pair), "make a channel to the tracer"));
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  // Blocked before the fork, so that there is no instant in which a signal could end the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid = sys_.fork();
  if (pid == 0) {
    Tracer tracer(sys_, target_, arena_, orders_, theirs.get());
    tracer.stand_apart();
    if (!repair) {
      Result<> taken = tracer.take();
      if (taken) {
        tracer.serve();
        (void)tracer.reply(tracer.clean_up());
      } else {
        (void)tracer.clean_up();
        (void)tracer.reply(taken);
      }
    } else {
      (void)tracer.reply(tracer.clean_up());
    }
    _exit(0);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  DOPPEL_TRY(check(pid, "start the tracer"));
  pid_ = static_cast<pid_t>(pid);
  socket_ = std::move(ours);
  return {};
}

Result<> TracerProcess::await_reply(CloneFiles* files) {
  TracerReply message;
  std::vector<UniqueFd> fds;
  const std::size_t size = DOPPEL_TRY(
      receive_packet(sys_, socket_.get(), std::as_writable_bytes(std::span(&message, 1)), &fds));
  if (size != sizeof message) return fail(Errc::os, "work with the tracer: it was killed");
  if (files != nullptr && fds.size() == kFiles) {
    files->memory = std::move(fds[0]);
    files->pagemap = std::move(fds[1]);
    files->maps = std::move(fds[2]);
    files->smaps = std::move(fds[3]);
    files->target_memory = std::move(fds[4]);
    files->target_pagemap = std::move(fds[5]);
  }
  return message.result();
}

void TracerProcess::release(std::span<const AddressRange> ranges) {
  if (!socket_) return;
  while (!ranges.empty()) {
    TracerRequest request;
    request.count = static_cast<std::uint32_t>(std::min(ranges.size(), TracerRequest::kMostRanges));
    std::copy_n(ranges.begin(), request.count, request.ranges);
    ranges = ranges.subspan(request.count);
    // A tracer that is busy is not waited for: these pages are given back a little later, with the
    // clone.
    if (!send_packet(sys_, socket_.get(), std::as_bytes(std::span(&request, 1)), {}, false)) return;
  }
}

/// Waits for the end of the tracer's process.
void TracerProcess::bury() {
  socket_.reset();
  if (pid_ == 0) return;
  siginfo_t info{};
  long value = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    do {
      value = sys_.waitid(P_PID, pid_, &info, WEXITED);
    } while (value == -EINTR);
    if (value == 0 || value == -ECHILD) break;
  }
  pid_ = 0;
}

Result<> TracerProcess::finish() {
  if (pid_ == 0) return {};
  TracerRequest request;
  request.kind = TracerRequest::Kind::finish;
  const auto bytes = std::as_bytes(std::span(&request, 1));
  Result<> result = send_packet(sys_, socket_.get(), bytes);
  if (result) result = await_reply(nullptr);
  bury();
  files_ = {};
  // Killed, or it gave up: what it left behind is taken away by another.
  const ArenaHeader& header = arena_.header();
  for (int attempt = 0; attempt < 3 && (header.clone != 0 || header.helper != 0); ++attempt) {
    result = launch(true);
    if (result) result = await_reply(nullptr);
    bury();
  }
  if (header.clone == 0 && header.helper == 0) result = {};
  return result;
}

}  // namespace doppel
