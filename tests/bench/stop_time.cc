// SPDX-License-Identifier: Apache-2.0
//
// P1: how long a live process is held, against a bare fork() of the same process, in pairs that
// alternate. The fork copies the same page tables, so what is beyond it is doppel's own.
#include <algorithm>
#include <string>
#include <vector>

#include <snapshot/linux/linux_backend.h>
#include <snapshot/support/error_text.h>
#include <tests/bench/bench_target.h>
#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>
#include <tests/bench/system_memory.h>

namespace doppel::bench {
namespace {

constexpr std::size_t kMiB = 1 << 20;

struct Scene {
  std::string name;
  TargetOptions options;
  double running_beyond = 0;  ///< ms; 0: no goal
  double any_beyond = 0;
  bool ratio = false;
};

void measure(const Scene& scene, unsigned pairs) {
  const BenchTarget target(scene.options);
  std::vector<double> forks, ratios, running, pauses, clones, injections, predictions, gaps,
      running_beyond, any_beyond, predicted_ratio;
  // The first pair warms up: it is not counted.
  for (unsigned pair = 0; pair <= pairs; ++pair) {
    const double fork = target.fork_once();
    target.reset_gap();
    LinuxBackend backend;
    Result<Snapshot> snapshot = backend.capture({.target = target.pid()});
    const double gap = target.longest_gap();
    if (!snapshot) {
      std::fprintf(stderr, "capture: %s\n", error_text(snapshot.error()).c_str());
      std::exit(1);
    }
    const CaptureTimings timings = snapshot->image.process.timings;
    snapshot->memory.reset();
    const auto ms = [](std::uint64_t us) { return static_cast<double>(us) / 1000; };
    std::fprintf(stderr,
                 "%s: fork %.2f, running pause %.2f, pause %.2f, clone %.2f, predicted %.2f, "
                 "injection %.3f, gap %.2f ms\n",
                 scene.name.c_str(), fork, ms(timings.running_pause_us), ms(timings.pause_us),
                 ms(timings.clone_us), ms(timings.predicted_pause_us), ms(timings.injection_us),
                 gap);
    if (pair == 0) continue;
    forks.push_back(fork);
    running.push_back(ms(timings.running_pause_us));
    pauses.push_back(ms(timings.pause_us));
    clones.push_back(ms(timings.clone_us));
    injections.push_back(ms(timings.injection_us));
    predictions.push_back(ms(timings.predicted_pause_us));
    gaps.push_back(gap);
    ratios.push_back(running.back() / fork);
    running_beyond.push_back(running.back() - fork);
    any_beyond.push_back(pauses.back() - fork);
    predicted_ratio.push_back(predictions.back() / pauses.back());
  }
  print({.id = "P1",
         .scene = scene.name,
         .figure = "running pause / fork",
         .value = median(ratios),
         .goal = scene.ratio ? Goal::at_most : Goal::none,
         .limit = 1.10,
         .beside = text("%.2f / %.2f ms; clone call %.2f", median(running), median(forks),
                        median(clones))});
  print({.id = "P1",
         .scene = scene.name,
         .figure = "running pause - fork",
         .value = median(running_beyond),
         .unit = "ms",
         .goal = scene.running_beyond > 0 ? Goal::at_most : Goal::none,
         .limit = scene.running_beyond,
         .beside = text("%.2f - %.2f ms", median(running), median(forks))});
  print({.id = "P1",
         .scene = scene.name,
         .figure = "pause - fork",
         .value = median(any_beyond),
         .unit = "ms",
         .goal = scene.any_beyond > 0 ? Goal::at_most : Goal::none,
         .limit = scene.any_beyond,
         .beside = text("%.2f - %.2f ms", median(pauses), median(forks))});
  print({.id = "P1",
         .scene = scene.name,
         .figure = "predicted / pause",
         .value = median(predicted_ratio),
         .beside = text("%.2f / %.2f ms", median(predictions), median(pauses))});
  print({.id = "P1",
         .scene = scene.name,
         .figure = "gap seen by a running thread / fork",
         .value = median(gaps) / median(forks),
         .beside = text("%.2f / %.2f ms; foreign registers %.3f ms", median(gaps), median(forks),
                        median(injections))});
}

int run(bool brief, unsigned pairs) {
  // The heap of the target, and as much again would break nothing: forks share it.
  const std::size_t room = available_memory() / 4 * 3;
  const std::size_t large = std::min<std::size_t>(8192 * kMiB, room / kMiB * kMiB);
  const unsigned many = brief ? 64 : 1024;
  std::vector<Scene> scenes;
  const auto size_name = [](std::size_t bytes) {
    return bytes % (1024 * kMiB) == 0 ? std::to_string(bytes / (1024 * kMiB)) + " GiB"
                                      : std::to_string(bytes / kMiB) + " MiB";
  };
  const auto add = [&](std::size_t heap, bool huge, unsigned threads, double running, double any,
                       bool ratio) {
    scenes.push_back({size_name(heap) + (huge ? " in huge pages, " : ", ") +
                          std::to_string(threads) + " threads",
                      {.heap = heap, .huge_pages = huge, .sleepers = threads - 2},
                      running,
                      any,
                      ratio});
  };
  if (brief) {
    add(32 * kMiB, false, 16, 0, 0, false);
    add(32 * kMiB, false, many, 0, 0, false);

  } else {
    add(16 * kMiB, false, 16, 0.5, 1, false);
    add(16 * kMiB, false, many, 1.5, 35, false);
    add(1024 * kMiB, true, 16, 0, 0, false);
    add(1024 * kMiB, false, 16, 0, 0, true);
    add(large, false, 16, 0, 0, true);
  }
  for (const Scene& scene : scenes) measure(scene, pairs);
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  const bool brief = doppel::bench::parse_settings(argc, argv).brief;
  return doppel::bench::run(brief, brief ? 2 : 9);
}
