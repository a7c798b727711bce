// SPDX-License-Identifier: Apache-2.0
//
// What the programs of this folder share: medians, and the row in which a figure is printed. A row
// goes to stdout as fields between tabs, for `run` to set in columns; what is going on goes to
// stderr.
#ifndef DOPPEL_TESTS_BENCH_FIGURES_H_
#define DOPPEL_TESTS_BENCH_FIGURES_H_

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace doppel::bench {

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

[[noreturn]] inline void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

[[gnu::format(printf, 1, 2)]] inline std::string text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

enum class Goal { at_most, at_least, none };

/// One figure. `places` and `unit` say how the value and its goal are printed.
struct Row {
  const char* id;      ///< of the goal, as in docs/performance.md
  std::string scene;   ///< what was measured on
  std::string figure;  ///< what was measured
  double value = 0;
  const char* unit = "x";
  Goal goal = Goal::none;
  double limit = 0;
  std::string beside;  ///< the absolute numbers
};

inline void print(const Row& row) {
  const std::string value = text("%.2f %s", row.value, row.unit);
  std::string goal = "-";
  std::string verdict = "-";
  if (row.goal != Goal::none) {
    const bool most = row.goal == Goal::at_most;
    goal = text("%s %.2f", most ? "<=" : ">=", row.limit);
    verdict = (most ? row.value <= row.limit : row.value >= row.limit) ? "met" : "MISSED";
  }
  std::printf("row\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.id, row.scene.c_str(), row.figure.c_str(),
              value.c_str(), goal.c_str(), verdict.c_str(), row.beside.c_str());
  std::fflush(stdout);
}

}  // namespace doppel::bench

#endif  // DOPPEL_TESTS_BENCH_FIGURES_H_
