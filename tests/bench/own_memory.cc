// SPDX-License-Identifier: Apache-2.0
//
// How much memory doppel itself takes, whatever the target's size: the peaks of the command and of
// its tracer, added as if they shared nothing.
#include <algorithm>
#include <string>
#include <vector>

#include <tests/bench/bench_target.h>
#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>
#include <tests/bench/system_memory.h>

namespace doppel::bench {
namespace {

void measure(const Settings& settings, const std::string& scene, const TargetOptions& options) {
  const BenchTarget target(options);
  std::uint64_t command = 0;
  std::uint64_t tracer = 0;
  std::vector<pid_t> children;
  unsigned looks = 0;
  (void)run_capture(settings, target.pid(), [&](pid_t pid) {
    const auto peak = [](pid_t process) {
      return memory_field("/proc/" + std::to_string(process) + "/status", "VmHWM");
    };
    command = std::max(command, peak(pid));
    if (looks++ % 16 == 0 || children.empty()) children = children_of(pid);
    for (const pid_t child : children) tracer = std::max(tracer, peak(child));
  });
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  std::fprintf(stderr, "%s: command %.1f MiB, tracer %.1f MiB\n", scene.c_str(), mib(command),
               mib(tracer));
  print({.id = "memory",
         .scene = scene,
         .figure = "doppel's own peak",
         .value = mib(command + tracer),
         .unit = "MiB",
         .goal = Goal::at_most,
         .limit = 64,
         .beside = text("command %.1f + tracer %.1f MiB", mib(command), mib(tracer))});
}

int run(const Settings& settings) {
  constexpr std::size_t kMiB = 1 << 20;
  if (settings.brief) {
    measure(settings, "64 MiB, 16 threads", {.heap = 64 * kMiB, .sleepers = 14});
    return 0;
  }
  measure(settings, "1 GiB, 16 threads", {.heap = 1024 * kMiB, .mix = true, .sleepers = 14});
  const std::size_t large = std::min<std::size_t>(8192, available_memory() / kMiB / 4 * 3) * kMiB;
  measure(settings, text("%zu MiB, 16 threads", large / kMiB), {.heap = large, .sleepers = 14});
  measure(settings, "64 MiB, 1500 threads", {.heap = 64 * kMiB, .sleepers = 1498});
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  return doppel::bench::run(doppel::bench::parse_settings(argc, argv));
}
