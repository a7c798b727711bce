// SPDX-License-Identifier: Apache-2.0
//
// The one line that moves while a dump is written: how much, how fast, how long still. It is given
// the time, and so is tested without a clock or a terminal.
#ifndef DOPPEL_CLI_RENDER_PROGRESS_LINE_H_
#define DOPPEL_CLI_RENDER_PROGRESS_LINE_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace doppel {

class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;

  /// `total`: bytes planned; 0 when nothing is to be done.
  ProgressLine(Clock::time_point start, std::uint64_t total);

  /// The line for "`done` bytes at `now`", without line end, at most `columns` wide: "written 45 %,
  /// 460 MiB of 1.00 GiB, 326 MiB/s, 2 s left". Rate and time left appear once there is half a
  /// second to judge by; what does not fit is dropped from the right.
  std::string update(Clock::time_point now, std::uint64_t done, unsigned columns);

 private:
  Clock::time_point start_;
  Clock::time_point last_;
  std::uint64_t total_;
  std::uint64_t last_done_ = 0;
  double rate_ = 0;  ///< bytes per second, smoothed
};

/// Moves to the start of the line, writes it and wipes what stood right of it; an empty `line`
/// wipes the whole.
std::string redraw(const std::string& line);

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_PROGRESS_LINE_H_
