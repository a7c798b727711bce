// SPDX-License-Identifier: Apache-2.0
//
// P5, P6: what the target pays while its dump is written, after the stop: memory for the pages that
// it changes meanwhile, and speed. With the default settings, without giving pages back, and with a
// snapshot that is only held for as long and not written (what copy on write alone costs), in turn.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/sink/file_sink.h>
#include <snapshot/linux/linux_backend.h>
#include <snapshot/support/error_text.h>
#include <tests/bench/bench_target.h>
#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>
#include <tests/bench/system_memory.h>

namespace doppel::bench {
namespace {

enum class Mode { defaults, no_release, held };

/// What the child of dump() does. Mode::held: for `held_ms`.
Result<> capture_and_write(const Settings& settings, pid_t target, Mode mode, int held_ms) {
  if (mode == Mode::held) {
    const Snapshot snapshot = DOPPEL_TRY(LinuxBackend().capture({.target = target}));
    std::this_thread::sleep_for(std::chrono::milliseconds(held_ms));
    return {};
  }
  const bool release = mode == Mode::defaults;
  const std::string path = settings.directory + "/bench.impact.zst";
  ::unlink(path.c_str());
  std::unique_ptr<Sink> sink = DOPPEL_TRY(FileSink::create(path));
  Snapshot snapshot = DOPPEL_TRY(LinuxBackend().capture({.target = target}));
  const Selection selection = DOPPEL_TRY(select(snapshot.image, *snapshot.memory));
  DumpPlan plan = DOPPEL_TRY(find_format("elf")->plan(snapshot.image, selection));
  WriteJob job =
      WriteJob::start(std::move(snapshot), std::move(plan), std::move(sink), {.release = release});
  const WriteReport report = DOPPEL_TRY(std::move(job).wait());
  ::unlink(path.c_str());
  if (report.cut_short) return fail(Errc::gone, "write the dump whole");
  return {};
}

/// A process that captures the target and writes the dump.
class Dump {
 public:
  Dump(const Settings& settings, pid_t target, Mode mode, int held_ms) {
    pid_ = ::fork();
    if (pid_ < 0) die("fork");
    if (pid_ > 0) return;
    const Result<> done = capture_and_write(settings, target, mode, held_ms);
    if (!done) std::fprintf(stderr, "dump: %s\n", error_text(done.error()).c_str());
    ::_exit(done ? 0 : 1);
  }

  pid_t pid() const { return pid_; }

  bool done() {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == 0) return false;
    if (status != 0) std::exit(1);
    return true;
  }

 private:
  pid_t pid_;
};

void pause_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

double writes_per_second(const BenchTarget& target, int milliseconds) {
  const std::uint64_t before = target.writes();
  const auto begin = Clock::now();
  pause_ms(milliseconds);
  return static_cast<double>(target.writes() - before) / milliseconds_since(begin) * 1000;
}

struct Impact {
  double seconds = 0;
  double rate_ratio = 0;   ///< of the writer, during the dump over before
  double extra = 0;        ///< peak memory of target and clone beyond the target's, over that
  double machine_mib = 0;  ///< what MemAvailable fell by: all there is on the machine
  double extra_mib = 0;
};

Impact measure(const Settings& settings, const BenchTarget& target, std::uint64_t rate, Mode mode,
               bool look_at_memory, int held_ms = 0) {
  target.write_at(rate);
  pause_ms(200);
  const double rate_before = writes_per_second(target, settings.brief ? 200 : 1500);
  const auto resident = static_cast<double>(proportional_set(target.pid()));
  const std::uint64_t available = available_memory();
  std::uint64_t lowest = available;
  double most = resident;
  const std::uint64_t writes = target.writes();
  const auto begin = Clock::now();
  Dump dump(settings, target.pid(), mode, held_ms);
  pid_t clone = 0;
  while (!dump.done()) {
    lowest = std::min(lowest, available_memory());
    if (look_at_memory) {
      if (clone == 0) {
        const std::vector<pid_t> children = children_of(target.pid());
        if (!children.empty()) clone = children.front();
      } else {
        // The clone first: what becomes the target's own meanwhile is then counted twice rather
        // than not at all.
        const std::uint64_t of_clone = proportional_set(clone);
        const std::uint64_t of_target = proportional_set(target.pid());
        if (of_clone > 0) most = std::max(most, static_cast<double>(of_clone + of_target));
      }
    }
    pause_ms(look_at_memory ? 50 : 5);
  }
  Impact impact;
  impact.seconds = milliseconds_since(begin) / 1000;
  impact.rate_ratio = static_cast<double>(target.writes() - writes) / impact.seconds / rate_before;
  impact.extra = (most - resident) / resident;
  impact.extra_mib = (most - resident) / (1 << 20);
  impact.machine_mib = static_cast<double>(available - std::min(lowest, available)) / (1 << 20);
  target.write_at(0);
  std::fprintf(stderr,
               "rate %s, mode %d: %.1f s, writer %.2f x of %.0f/s, extra %.0f MiB (machine "
               "%.0f MiB)\n",
               rate == BenchTarget::kFullSpeed ? "full" : "30000/s", static_cast<int>(mode),
               impact.seconds, impact.rate_ratio, rate_before, impact.extra_mib,
               impact.machine_mib);
  return impact;
}

std::vector<double> each(const std::vector<Impact>& impacts, double Impact::* field) {
  std::vector<double> values;
  for (const Impact& impact : impacts) values.push_back(impact.*field);
  return values;
}

int run(const Settings& settings) {
  const std::size_t mib = settings.brief ? 32 : 1024;
  const unsigned rounds = settings.brief ? 1 : 5;
  const BenchTarget target(
      {.heap = mib << 20, .mix = true, .sleepers = 14, .probe = false, .writer = true});
  const std::string size = std::to_string(mib) + " MiB, ";
  constexpr Mode kModes[] = {Mode::defaults, Mode::no_release, Mode::held};
  std::vector<Impact> memory[3], speed[3];
  for (unsigned round = 0; round < rounds; ++round) {
    int held_ms = 0;
    for (const Mode mode : kModes) {
      const Impact impact = measure(settings, target, 30'000, mode, true, held_ms);
      if (mode == Mode::defaults) held_ms = static_cast<int>(impact.seconds * 1000);
      memory[static_cast<int>(mode)].push_back(impact);
    }
  }
  for (unsigned round = 0; round < rounds; ++round) {
    int held_ms = 0;
    for (const Mode mode : kModes) {
      const Impact impact =
          measure(settings, target, BenchTarget::kFullSpeed, mode, false, held_ms);
      if (mode == Mode::defaults) held_ms = static_cast<int>(impact.seconds * 1000);
      speed[static_cast<int>(mode)].push_back(impact);
    }
  }
  constexpr const char* kNames[] = {"default settings", "without release, to compare",
                                    "held and not written, to compare"};
  for (const Mode mode : kModes) {
    const auto index = static_cast<std::size_t>(mode);
    const std::string name = size + kNames[index];
    print({.id = "P5",
           .scene = name,
           .figure = "extra memory at 30 000 writes/s / RSS",
           .value = median(each(memory[index], &Impact::extra)),
           .goal = mode == Mode::defaults ? Goal::at_most : Goal::none,
           .limit = 0.15,
           .beside = text("%.0f MiB (MemAvailable fell by %.0f); dump %.1f s, writer %.2f x",
                          median(each(memory[index], &Impact::extra_mib)),
                          median(each(memory[index], &Impact::machine_mib)),
                          median(each(memory[index], &Impact::seconds)),
                          median(each(memory[index], &Impact::rate_ratio)))});
    print({.id = "P6",
           .scene = name,
           .figure = "full-speed writer, during / before",
           .value = median(each(speed[index], &Impact::rate_ratio)),
           .goal = mode == Mode::defaults ? Goal::at_least : Goal::none,
           .limit = 0.85,
           .beside = text("dump %.1f s; MemAvailable fell by %.0f MiB",
                          median(each(speed[index], &Impact::seconds)),
                          median(each(speed[index], &Impact::machine_mib)))});
  }
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  return doppel::bench::run(doppel::bench::parse_settings(argc, argv));
}
