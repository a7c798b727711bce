// SPDX-License-Identifier: Apache-2.0
//
// A reservation of 16 TB with a few written pages in it, as a sanitizer's shadow or a collector's
// heap has: it must cost neither time nor space. Captured beside the same process without it.
#include <string>
#include <vector>

#include <tests/bench/bench_target.h>
#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>

namespace doppel::bench {
namespace {

int run(const Settings& settings) {
  constexpr std::size_t kTiB = std::size_t{1} << 40;
  constexpr std::size_t kIslands = 64;
  const std::size_t mib = settings.brief ? 8 : 64;
  const unsigned rounds = settings.brief ? 1 : 9;
  const BenchTarget plain({.heap = mib << 20, .mix = true, .sleepers = 4, .probe = false});
  const BenchTarget sparse({.heap = mib << 20,
                            .mix = true,
                            .sleepers = 4,
                            .probe = false,
                            .reserve = 16 * kTiB,
                            .islands = kIslands});
  std::vector<double> walls, plain_walls, pauses, plain_pauses, wall_ratios;
  double bytes = 0;
  double plain_bytes = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    const CaptureResult without = run_capture(settings, plain.pid());
    const CaptureResult with = run_capture(settings, sparse.pid());
    plain_walls.push_back(without.wall_ms);
    walls.push_back(with.wall_ms);
    wall_ratios.push_back(with.wall_ms / without.wall_ms);
    plain_pauses.push_back(without.pause_ms);
    pauses.push_back(with.pause_ms);
    plain_bytes = without.dump_bytes;
    bytes = with.dump_bytes;
    std::fprintf(stderr, "16 TiB reserved: %.0f ms, %.0f bytes; without: %.0f ms, %.0f bytes\n",
                 with.wall_ms, bytes, without.wall_ms, plain_bytes);
  }
  const std::string scene = text("%zu MiB + 16 TiB reserved, %zu islands", mib, kIslands);
  print({.id = "sparse",
         .scene = scene,
         .figure = "capture time / without the reservation",
         .value = median(wall_ratios),
         .beside = text("%.0f / %.0f ms; pause %.2f / %.2f ms", median(walls), median(plain_walls),
                        median(pauses), median(plain_pauses))});
  print({.id = "sparse",
         .scene = scene,
         .figure = "dump size / without",
         .value = bytes / plain_bytes,
         .beside = text("%.0f / %.0f KiB", bytes / 1024, plain_bytes / 1024)});
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  return doppel::bench::run(doppel::bench::parse_settings(argc, argv));
}
