// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include <cli/render/quantity.h>
#include <cli/watchdog.h>
#include <snapshot/linux/cgroup_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

constexpr double kHorizonSeconds = 0.3;
constexpr double kStallShare = 0.4;

std::string file_or_empty(Sys& sys, const std::string& path) {
  Result<std::string> text = read_system_file(sys, path.c_str());
  return text ? std::move(*text) : std::string();
}

template <class Reading>
const Reading* find(const std::vector<Reading>& readings, std::string_view name) {
  const auto at = std::ranges::find(readings, name, &Reading::name);
  return at == readings.end() ? nullptr : &*at;
}

double seconds_between(const MemoryReading& from, const MemoryReading& to) {
  return std::chrono::duration<double>(to.at - from.at).count();
}

/// Bytes that are lost within the horizon at the speed between the two readings.
std::uint64_t foreseen_loss(const PoolReading& now, const PoolReading* before, double seconds) {
  if (before == nullptr || seconds <= 0 || before->left <= now.left) return 0;
  const double speed = static_cast<double>(before->left - now.left) / seconds;
  return static_cast<std::uint64_t>(std::min(speed * kHorizonSeconds, 1e18));
}

/// A line "NAME NUMBER" of memory.stat.
std::uint64_t stat_value(std::string_view stat, std::string_view name) {
  std::string_view line;
  while (text::next_line(stat, line)) {
    if (text::next_word(line) == name)
      return text::number<std::uint64_t>(text::next_word(line)).value_or(0);
  }
  return 0;
}

/// The value of "KEY=VALUE" among the words of a line.
std::string_view assigned(std::string_view line, std::string_view key) {
  for (std::string_view word = text::next_word(line); !word.empty(); word = text::next_word(line)) {
    if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=')
      return word.substr(key.size() + 1);
  }
  return {};
}

}  // namespace

std::uint64_t head_room_floor(std::uint64_t total) {
  constexpr std::uint64_t kLeast = 32u << 20;
  constexpr std::uint64_t kMost = 1u << 30;
  const std::uint64_t floor = std::clamp(total / 50, kLeast, kMost);
  // A pool smaller than that would otherwise always be given up.
  return std::min(floor, total / 8);
}

std::optional<std::string> must_give_up(const MemoryReading& now, const MemoryReading& before,
                                        const MemoryReading* window,
                                        const MemoryReading& baseline) {
  for (const PoolReading& pool : now.pools) {
    const PoolReading* earlier = find(before.pools, pool.name);
    const std::uint64_t loss = foreseen_loss(pool, earlier, seconds_between(before, now));
    const std::uint64_t floor = head_room_floor(pool.total);
    if (pool.left < floor) {
      return fmt::format("memory of {} runs out: {} of {} left", pool.name, size_text(pool.left),
                         size_text(pool.total));
    }
    if (pool.left - floor < loss) {
      return fmt::format(
          "memory of {} runs out: {} of {} left, {} less every second", pool.name,
          size_text(pool.left), size_text(pool.total),
          size_text(static_cast<std::uint64_t>(static_cast<double>(loss) / kHorizonSeconds)));
    }
  }
  if (window == nullptr) return std::nullopt;
  const double seconds = seconds_between(*window, now);
  for (const StallReading& stall : now.stalls) {
    const StallReading* earlier = find(window->stalls, stall.name);
    const StallReading* first = find(baseline.stalls, stall.name);
    if (earlier == nullptr || seconds <= 0 || stall.total_us < earlier->total_us) continue;
    const double share = static_cast<double>(stall.total_us - earlier->total_us) / 1e6 / seconds;
    const double usual = first == nullptr ? 0 : first->share_before;
    if (share >= kStallShare && share >= 2 * usual) {
      return fmt::format("{} stood still for want of memory for {:.0f} % of the last second",
                         stall.name, std::min(share, 1.0) * 100);
    }
  }
  return std::nullopt;
}

std::optional<PoolReading> parse_meminfo(std::string_view text) {
  const auto total = text::kilobytes(text::value_of(text, "MemTotal"));
  const auto available = text::kilobytes(text::value_of(text, "MemAvailable"));
  const auto swap = text::kilobytes(text::value_of(text, "SwapFree"));
  if (!total || !available) return std::nullopt;
  return PoolReading{.name = "the machine", .total = *total, .left = *available + swap.value_or(0)};
}

std::optional<StallReading> parse_pressure(std::string_view text, std::string name) {
  std::string_view line;
  while (text::next_line(text, line)) {
    if (!line.starts_with("full ")) continue;
    const auto total = text::number<std::uint64_t>(assigned(line, "total"));
    if (!total) return std::nullopt;
    const std::string_view average = assigned(line, "avg10");
    double percent = 0;
    std::from_chars(average.data(), average.data() + average.size(), percent);
    return StallReading{.name = std::move(name), .total_us = *total, .share_before = percent / 100};
  }
  return std::nullopt;
}

std::optional<PoolReading> parse_cgroup_memory(std::string name, std::string_view usage,
                                               const std::vector<std::string>& limit_texts,
                                               std::string_view stat) {
  // v1 says "no limit" as a number near 2^63 (PAGE_COUNTER_MAX, include/linux/page_counter.h).
  constexpr std::uint64_t kNoLimit = 1ull << 62;
  std::uint64_t limit = kNoLimit;
  for (const std::string& text : limit_texts) {
    if (const auto value = text::number<std::uint64_t>(text::trim(text)))
      limit = std::min(limit, *value);
  }
  const auto used = text::number<std::uint64_t>(text::trim(usage));
  if (!used || limit >= kNoLimit) return std::nullopt;
  // v1 counts its children only under "total_"; where both stand these are the ones.
  const bool v1 = stat.find("total_inactive_file") != std::string_view::npos;
  std::uint64_t reclaimable = stat_value(stat, v1 ? "total_inactive_file" : "inactive_file") +
                              stat_value(stat, v1 ? "total_active_file" : "active_file") +
                              stat_value(stat, "slab_reclaimable");
  reclaimable = std::min(reclaimable, *used);
  const std::uint64_t held = *used - reclaimable;
  return PoolReading{
      .name = std::move(name), .total = limit, .left = limit > held ? limit - held : 0};
}

MemoryWatch::MemoryWatch(Sys& sys, std::int32_t target) : sys_(sys) {
  const std::string cgroup = file_or_empty(sys, fmt::format("/proc/{}/cgroup", target));
  const std::vector<CgroupEntry> entries = parse_cgroup(cgroup);
  const auto mounts = parse_mountinfo(file_or_empty(sys, "/proc/self/mountinfo"));
  const auto found = find_cgroup(entries, mounts, "memory");
  if (!found) return;
  std::string path = found->path;
  while (path.size() >= found->mount.size()) {
    const std::string inner = path.substr(found->mount.size());
    directories_.push_back({.name = "cgroup " + (inner.empty() ? "/" : inner),
                            .path = path,
                            .unified = found->unified});
    const std::size_t slash = path.rfind('/');
    if (path.size() == found->mount.size() || slash == path.npos) break;
    path.resize(slash);
  }
}

MemoryReading MemoryWatch::read() const {
  MemoryReading reading{.at = std::chrono::steady_clock::now(), .pools = {}, .stalls = {}};
  if (auto pool = parse_meminfo(file_or_empty(sys_, "/proc/meminfo")))
    reading.pools.push_back(std::move(*pool));
  if (auto stall = parse_pressure(file_or_empty(sys_, "/proc/pressure/memory"), "the machine"))
    reading.stalls.push_back(std::move(*stall));
  for (const Directory& directory : directories_) {
    const auto file = [&](const char* name) {
      return file_or_empty(sys_, directory.path + "/" + name);
    };
    std::vector<std::string> limits;
    if (directory.unified)
      limits = {file("memory.max"), file("memory.high")};
    else
      limits = {file("memory.limit_in_bytes")};
    const auto usage = file(directory.unified ? "memory.current" : "memory.usage_in_bytes");
    if (auto pool = parse_cgroup_memory(directory.name, usage, limits, file("memory.stat")))
      reading.pools.push_back(std::move(*pool));
    if (!directory.unified) continue;
    if (auto stall = parse_pressure(file("memory.pressure"), directory.name))
      reading.stalls.push_back(std::move(*stall));
  }
  return reading;
}

}  // namespace doppel
