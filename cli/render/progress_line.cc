// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <cli/render/progress_line.h>
#include <cli/render/quantity.h>

namespace doppel {
namespace {

using Seconds = std::chrono::duration<double>;

// The rate forgets what is older than a few of these: long enough not to flicker, short enough to
// show a disk that became slow.
constexpr double kMemory = 2.0;
constexpr double kEnoughToJudge = 0.5;

}  // namespace

ProgressLine::ProgressLine(Clock::time_point start, std::uint64_t total)
    : start_(start), last_(start), total_(total) {}

std::string ProgressLine::update(Clock::time_point now, std::uint64_t done, unsigned columns) {
  done = std::min(done, total_);
  const double age = Seconds(now - start_).count();
  const double step = Seconds(now - last_).count();
  if (step > 0 && done >= last_done_) {
    const double current = static_cast<double>(done - last_done_) / step;
    // At the start the plain average; later an exponential one.
    const double weight = std::max(1 - std::exp(-step / kMemory), std::min(1.0, step / age));
    rate_ += (current - rate_) * weight;
    last_ = now;
    last_done_ = done;
  }
  const std::uint64_t percent = total_ == 0
                                    ? 100
                                    : static_cast<std::uint64_t>(100.0 * static_cast<double>(done) /
                                                                 static_cast<double>(total_));
  std::array<std::string, 4> parts = {fmt::format("writing {:3} %", percent),
                                      fmt::format("{} of {}", size_text(done), size_text(total_))};
  if (age >= kEnoughToJudge) {
    parts[2] = size_text(static_cast<std::uint64_t>(rate_)) + "/s";
    const double left = rate_ > 0 ? static_cast<double>(total_ - done) / rate_ : -1;
    if (left >= 0 && left < 1e6) {
      const auto whole = std::chrono::seconds(static_cast<std::int64_t>(std::ceil(left)));
      parts[3] =
          left < 59.5 ? fmt::format("{} s left", whole.count()) : duration_text(whole) + " left";
    }
  }
  std::string line;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    const std::string longer = line.empty() ? part : line + "  " + part;
    // The last column stays free: a full line makes some terminals wrap.
    if (longer.size() >= columns) break;
    line = longer;
  }
  return line;
}

std::string redraw(const std::string& line) {
  return "\r" + line + "\x1b[K";
}

}  // namespace doppel
