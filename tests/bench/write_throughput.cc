// SPDX-License-Identifier: Apache-2.0
//
// How fast a dump is written, side by side in one run over the same bytes (a heap-like mix):
//
//   doppel   WriteJob at its default settings, from the memory of another process, into a file
//   tool     `zstd -1 -T2` on a file of the same bytes (in the page cache), into a file
//   library  plain libzstd threads, same level, frame size and thread count, over the bytes in
//            their own memory, output thrown away: what no dump writer can beat without reading
//            less
//
// Prints ratios and rates; medians of alternating rounds. Ratios, not times, are what to compare:
// a busy machine slows all three.
//
// Usage: write_throughput [--mib N] [--rounds N] [--level N] [--threads N] [--block KIB] [--dir
// DIR]
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <dumpwriter/job/cpu_budget.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/sink/file_sink.h>
#include <tests/bench/heap_mix.h>

extern char** environ;

namespace doppel::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// The memory of another process through /proc/PID/mem, as the live engine reads its clone.
class ProcMemory final : public Memory {
 public:
  explicit ProcMemory(pid_t pid) {
    fd_ = ::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) die("open /proc/PID/mem");
  }

  ~ProcMemory() override { ::close(fd_); }

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override {
    const ssize_t count = ::pread(fd_, to.data(), to.size(), static_cast<off_t>(from.value));
    if (count <= 0) return fail(Errc::unmapped, "read");
    return static_cast<std::size_t>(count);
  }

 private:
  int fd_ = -1;
};

struct Settings {
  std::size_t mib = 1024;
  unsigned rounds = 5;
  int level = WriteOptions::kDefaultLevel;
  unsigned threads = 0;
  std::size_t block = WriteOptions{}.block_bytes;
  std::string dir = ".";
};

Settings parse(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    const char* const value = argv[i + 1];
    if (key == "--mib") settings.mib = std::strtoul(value, nullptr, 10);
    if (key == "--rounds") settings.rounds = static_cast<unsigned>(std::atoi(value));
    if (key == "--level") settings.level = std::atoi(value);
    if (key == "--threads") settings.threads = static_cast<unsigned>(std::atoi(value));
    if (key == "--block") settings.block = std::strtoul(value, nullptr, 10) << 10;
    if (key == "--dir") settings.dir = value;
  }
  return settings;
}

struct Sample {
  double seconds = 0;
  std::uint64_t bytes = 0;
  double cpu = 0;  ///< seconds of CPU, user and system: steadier than time on a busy machine
};

double cpu_seconds(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Sample write_dump(const Settings& settings, pid_t holder, std::span<const std::byte> bytes) {
  const std::string path = settings.dir + "/write_throughput.core.zst";
  ::unlink(path.c_str());
  const double cpu = cpu_seconds(RUSAGE_SELF);
  const auto begin = Clock::now();
  auto sink = FileSink::create(path);
  if (!sink) die("create dump");
  Snapshot snapshot;
  snapshot.memory = std::make_unique<ProcMemory>(holder);
  DumpPlan plan;
  plan.pieces.push_back(
      FromMemory{{{reinterpret_cast<std::uint64_t>(bytes.data())}, bytes.size()}});
  WriteJob job = WriteJob::start(
      std::move(snapshot), std::move(plan), std::move(*sink),
      {.level = settings.level, .threads = settings.threads, .block_bytes = settings.block});
  const Result<WriteReport> report = std::move(job).wait();
  const double seconds = seconds_since(begin);
  if (!report || report->zero_filled_pages != 0) die("write dump");
  ::unlink(path.c_str());
  return {seconds, report->file_bytes, cpu_seconds(RUSAGE_SELF) - cpu};
}

Sample run_tool(const Settings& settings, const std::string& input) {
  const std::string output = settings.dir + "/write_throughput.tool.zst";
  ::unlink(output.c_str());
  std::vector<std::string> words = {"zstd", "-1", "-T2", "-q", "-f", "-o", output, input};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const double cpu = cpu_seconds(RUSAGE_CHILDREN);
  const auto begin = Clock::now();
  pid_t pid = 0;
  if (::posix_spawnp(&pid, "zstd", nullptr, nullptr, argv.data(), environ) != 0) die("zstd");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const double seconds = seconds_since(begin);
  struct stat facts{};
  if (status != 0 || ::stat(output.c_str(), &facts) != 0) die("zstd");
  ::unlink(output.c_str());
  return {seconds, static_cast<std::uint64_t>(facts.st_size), cpu_seconds(RUSAGE_CHILDREN) - cpu};
}

Sample run_library(const Settings& settings, unsigned threads, std::span<const std::byte> bytes) {
  std::atomic<std::size_t> next = 0;
  std::atomic<std::uint64_t> written = 0;
  const double cpu = cpu_seconds(RUSAGE_SELF);
  const auto begin = Clock::now();
  std::vector<std::jthread> pool;
  for (unsigned i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      ZSTD_CCtx* const context = ZSTD_createCCtx();
      ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, settings.level);
      ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
      std::vector<std::byte> out(ZSTD_compressBound(settings.block));
      while (true) {
        const std::size_t at = next.fetch_add(settings.block);
        if (at >= bytes.size()) break;
        const std::size_t size = std::min(settings.block, bytes.size() - at);
        written += ZSTD_compress2(context, out.data(), out.size(), bytes.data() + at, size);
      }
      ZSTD_freeCCtx(context);
    });
  }
  pool.clear();
  const double seconds = seconds_since(begin);
  return {seconds, written, cpu_seconds(RUSAGE_SELF) - cpu};
}

void write_input(const std::string& path, std::span<const std::byte> bytes) {
  const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) die("create input");
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count <= 0) die("write input");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  ::fsync(fd);  // so that its write-back is over before the clock runs
  ::close(fd);
}

int run(const Settings& settings) {
  const std::size_t size = settings.mib << 20;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  ::madvise(memory, size, MADV_NOHUGEPAGE);
  const std::span<std::byte> bytes(static_cast<std::byte*>(memory), size);
  fill_heap_mix(bytes);

  const pid_t holder = ::fork();
  if (holder < 0) die("fork");
  if (holder == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) ::pause();
  }
  const std::string input = settings.dir + "/write_throughput.input";
  write_input(input, bytes);

  const unsigned threads = settings.threads != 0 ? settings.threads : available_cpus();
  std::vector<double> dump, tool, library, to_tool, to_library, cpu_to_tool, cpu_to_library;
  std::uint64_t dump_bytes = 0;
  std::uint64_t tool_bytes = 0;
  for (unsigned round = 0; round < settings.rounds; ++round) {
    const Sample a = run_tool(settings, input);
    const Sample b = write_dump(settings, holder, bytes);
    const Sample c = run_library(settings, threads, bytes);
    std::printf(
        "round %u: doppel %.2f s (cpu %.2f), zstd -1 -T2 %.2f s (cpu %.2f), library x%u %.2f s "
        "(cpu %.2f)\n",
        round, b.seconds, b.cpu, a.seconds, a.cpu, threads, c.seconds, c.cpu);
    std::fflush(stdout);
    tool.push_back(a.seconds);
    dump.push_back(b.seconds);
    library.push_back(c.seconds);
    to_tool.push_back(a.seconds / b.seconds);
    to_library.push_back(c.seconds / b.seconds);
    cpu_to_tool.push_back(a.cpu / b.cpu);
    cpu_to_library.push_back(c.cpu / b.cpu);
    dump_bytes = b.bytes;
    tool_bytes = a.bytes;
  }
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  ::unlink(input.c_str());

  const double megabytes = static_cast<double>(size) / 1e6;
  std::printf("%zu MiB, level %d, frames of %zu KiB, %u threads, medians of %u\n", settings.mib,
              settings.level, settings.block >> 10, threads, settings.rounds);
  std::printf("doppel      %7.0f MB/s   ratio %.2f\n", megabytes / median(dump),
              static_cast<double>(size) / static_cast<double>(dump_bytes));
  std::printf("zstd -1 -T2 %7.0f MB/s   ratio %.2f\n", megabytes / median(tool),
              static_cast<double>(size) / static_cast<double>(tool_bytes));
  std::printf("library     %7.0f MB/s\n", megabytes / median(library));
  std::printf("doppel / zstd -1 -T2: %.2f x (goal 1.00)\n", median(to_tool));
  std::printf("doppel / library:     %.2f x (goal 0.80)\n", median(to_library));
  std::printf("the same by CPU time: %.2f x and %.2f x\n", median(cpu_to_tool),
              median(cpu_to_library));
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  return doppel::bench::run(doppel::bench::parse(argc, argv));
}
