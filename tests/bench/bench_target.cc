// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <vector>

#include <tests/bench/bench_target.h>
#include <tests/bench/figures.h>
#include <tests/bench/heap_mix.h>

namespace doppel::bench {
namespace {

constexpr std::size_t kPage = 4096;

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void pin_to_first_processor() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &allowed)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    (void)::sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

void watch_the_clock(BenchTarget::Board& board) {
  pin_to_first_processor();
  std::uint32_t reset = board.reset.load();
  std::uint64_t before = now_ns();
  std::uint64_t longest = 0;
  while (true) {
    const std::uint64_t now = now_ns();
    if (const std::uint32_t wanted = board.reset.load(std::memory_order_relaxed); wanted != reset) {
      reset = wanted;
      longest = 0;
      board.longest_gap_ns.store(0);
    } else if (now - before > longest) {
      longest = now - before;
      board.longest_gap_ns.store(longest);
    }
    before = now;
  }
}

void write_pages(BenchTarget::Board& board, std::byte* heap, std::size_t size) {
  Random random(7);
  const std::size_t pages = size / kPage;
  std::uint64_t count = 0;
  std::uint64_t rate = 0;
  std::uint64_t since = 0;
  std::uint64_t done = 0;  // since then
  while (true) {
    const std::uint64_t wanted = board.rate.load(std::memory_order_relaxed);
    if (wanted != rate) {
      rate = wanted;
      since = now_ns();
      done = 0;
    }
    std::uint64_t burst = 64;
    if (rate != BenchTarget::kFullSpeed) {
      const std::uint64_t due = static_cast<std::uint64_t>(static_cast<double>(now_ns() - since) /
                                                           1e9 * static_cast<double>(rate));
      burst = due > done ? due - done : 0;
      // What a stop or a busy machine kept it from is not made up for.
      if (burst > rate / 20) {
        since = now_ns();
        done = 0;
        burst = 0;
      }
    }
    for (std::uint64_t i = 0; i < burst; ++i) {
      // The last word of a page changes; what compresses well still does.
      auto* const word = reinterpret_cast<volatile std::uint64_t*>(
          heap + random.next() % pages * kPage + kPage - sizeof(std::uint64_t));
      *word = *word + 1;
    }
    done += burst;
    count += burst;
    board.writes.store(count, std::memory_order_relaxed);
    if (rate != BenchTarget::kFullSpeed) {
      const timespec nap = {0, rate == 0 ? 10'000'000 : 1'000'000};
      ::nanosleep(&nap, nullptr);
    }
  }
}

[[noreturn]] void sleep_in(unsigned kind) {
  static std::mutex mutex;
  static std::condition_variable never;
  int pair[2];
  while (true) {
    switch (kind % 5) {
      case 0: {
        std::unique_lock lock(mutex);
        never.wait(lock);
        break;
      }
      case 1: {
        const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{};
        (void)::epoll_wait(epoll, &event, 1, -1);
        ::close(epoll);
        break;
      }
      case 2: {
        const timespec hour = {3600, 0};
        ::nanosleep(&hour, nullptr);
        break;
      }
      case 3:
        (void)::poll(nullptr, 0, -1);
        break;
      default: {
        char byte;
        if (::pipe2(pair, O_CLOEXEC) != 0 || ::read(pair[0], &byte, 1) < 0) ::pause();
        break;
      }
    }
  }
}

std::byte* make_heap(const TargetOptions& options) {
  void* const memory = ::mmap(nullptr, options.heap, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) die("map heap");
  ::madvise(memory, options.heap, options.huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  auto* const heap = static_cast<std::byte*>(memory);
  if (options.mix) {
    fill_heap_mix({heap, options.heap});
  } else {
    for (std::size_t at = 0; at < options.heap; at += kPage) {
      *reinterpret_cast<std::uint64_t*>(heap + at) = at + 1;
    }
  }
  return heap;
}

void make_islands(const TargetOptions& options) {
  void* const memory = ::mmap(nullptr, options.reserve, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) die("reserve address space");
  ::madvise(memory, options.reserve, MADV_NOHUGEPAGE);
  auto* const begin = static_cast<std::byte*>(memory);
  for (std::size_t i = 0; i < options.islands; ++i) {
    const std::size_t at = options.reserve / options.islands * i / kPage * kPage;
    *reinterpret_cast<std::uint64_t*>(begin + at) = i + 1;
  }
}

void detached(auto body) {
  std::thread(std::move(body)).detach();
}

/// The life of the target. Commands: f forks and answers with the time.
[[noreturn]] void live(const TargetOptions& options, BenchTarget::Board& board, int commands,
                       int answers) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "bench-target");
  std::byte* const heap = options.heap > 0 ? make_heap(options) : nullptr;
  if (options.reserve > 0) make_islands(options);
  for (unsigned i = 0; i < options.sleepers; ++i) detached([i] { sleep_in(i); });
  if (options.probe) detached([&] { watch_the_clock(board); });
  if (options.writer) detached([&] { write_pages(board, heap, options.heap); });
  double answer = 0;
  if (::write(answers, &answer, sizeof answer) != sizeof answer) ::_exit(1);
  char command = 0;
  while (::read(commands, &command, 1) == 1) {
    const std::uint64_t before = now_ns();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    answer = static_cast<double>(now_ns() - before) / 1e6;
    if (child < 0) die("fork in the target");
    ::waitpid(child, nullptr, 0);
    if (::write(answers, &answer, sizeof answer) != sizeof answer) break;
  }
  ::_exit(0);
}

double answer_from(int fd) {
  double answer = 0;
  if (::read(fd, &answer, sizeof answer) != sizeof answer) die("the target is gone");
  return answer;
}

}  // namespace

BenchTarget::BenchTarget(const TargetOptions& options) {
  int commands[2];
  int answers[2];
  if (::pipe2(commands, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0) die("pipe");
  void* const board =
      ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (board == MAP_FAILED) die("map board");
  board_ = new (board) Board{};
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) die("fork");
  if (pid_ == 0) {
    ::close(commands[1]);
    ::close(answers[0]);
    live(options, *board_, commands[0], answers[1]);
  }
  ::close(commands[0]);
  ::close(answers[1]);
  commands_ = commands[1];
  answers_ = answers[0];
  (void)answer_from(answers_);
  // Until those that were just started have gone to sleep.
  ::usleep(300'000);
}

BenchTarget::~BenchTarget() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::close(commands_);
  ::close(answers_);
  ::munmap(board_, kPage);
}

double BenchTarget::fork_once() const {
  if (::write(commands_, "f", 1) != 1) die("command the target");
  return answer_from(answers_);
}

void BenchTarget::reset_gap() const {
  board_->reset.fetch_add(1);
  ::usleep(2'000);
}

double BenchTarget::longest_gap() const {
  return static_cast<double>(board_->longest_gap_ns.load()) / 1e6;
}

void BenchTarget::write_at(std::uint64_t pages_per_second) const {
  board_->rate.store(pages_per_second);
}

std::uint64_t BenchTarget::writes() const {
  return board_->writes.load(std::memory_order_relaxed);
}

}  // namespace doppel::bench
