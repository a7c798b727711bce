// SPDX-License-Identifier: Apache-2.0
//
// P8: how long `doppel --help` takes, beside /bin/true, which shows what starting any program costs
// here.
#include <vector>

#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>

namespace doppel::bench {
namespace {

int run(const Settings& settings) {
  const unsigned rounds = settings.brief ? 3 : 40;
  std::vector<double> help, nothing;
  for (unsigned round = 0; round < rounds; ++round) {
    nothing.push_back(run_command({"/bin/true"}).wall_ms);
    help.push_back(run_command({settings.doppel, "--help"}).wall_ms);
  }
  print({.id = "P8",
         .scene = "doppel --help",
         .figure = "wall time",
         .value = median(help),
         .unit = "ms",
         .goal = Goal::at_most,
         .limit = 10,
         .beside = text("/bin/true %.2f ms", median(nothing))});
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  return doppel::bench::run(doppel::bench::parse_settings(argc, argv));
}
