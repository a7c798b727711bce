// SPDX-License-Identifier: Apache-2.0
//
// gcore (gdb's) and `doppel capture` on the same process, in turn: how long a running thread of the
// target stood still, and how long the user waited.
#include <unistd.h>

#include <string>
#include <vector>

#include <tests/bench/bench_target.h>
#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>

namespace doppel::bench {
namespace {

int run(const Settings& settings) {
  const std::size_t mib = settings.brief ? 32 : 1024;
  const unsigned rounds = settings.brief ? 1 : 5;
  const BenchTarget target({.heap = mib << 20, .mix = true, .sleepers = 14});
  std::vector<double> gap_ratios, wall_ratios, gcore_gaps, gcore_walls, gaps, walls;
  double dump_mib = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    target.reset_gap();
    const std::string prefix = settings.directory + "/bench.gcore";
    const CommandResult gcore = run_command({"gcore", "-o", prefix, std::to_string(target.pid())});
    gcore_gaps.push_back(target.longest_gap());
    gcore_walls.push_back(gcore.wall_ms);
    ::unlink((prefix + "." + std::to_string(target.pid())).c_str());
    target.reset_gap();
    const CaptureResult capture = run_capture(settings, target.pid());
    gaps.push_back(target.longest_gap());
    walls.push_back(capture.wall_ms);
    gap_ratios.push_back(gcore_gaps.back() / gaps.back());
    wall_ratios.push_back(walls.back() / gcore_walls.back());
    dump_mib = capture.dump_bytes / (1 << 20);
    std::fprintf(stderr, "gcore: gap %.1f ms, wall %.0f ms; doppel: gap %.1f ms, wall %.0f ms\n",
                 gcore_gaps.back(), gcore.wall_ms, gaps.back(), capture.wall_ms);
  }
  const std::string scene = std::to_string(mib) + " MiB, 16 threads";
  print({.id = "P1",
         .scene = scene,
         .figure = "gap under gcore / under doppel",
         .value = median(gap_ratios),
         .beside = text("%.0f / %.1f ms", median(gcore_gaps), median(gaps))});
  print({.id = "-",
         .scene = scene,
         .figure = "wall time of doppel / of gcore",
         .value = median(wall_ratios),
         .beside = text("%.0f / %.0f ms; %.0f MiB compressed / %zu MiB plain", median(walls),
                        median(gcore_walls), dump_mib, mib)});
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  return doppel::bench::run(doppel::bench::parse_settings(argc, argv));
}
