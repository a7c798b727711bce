// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include <cli/render/quantity.h>
#include <cli/render/text.h>

namespace doppel {
namespace {

constexpr std::size_t kMostGroups = 8;

std::chrono::microseconds us(std::uint64_t value) {
  return std::chrono::microseconds(
      static_cast<std::int64_t>(std::min<std::uint64_t>(value, 1ull << 60)));
}

std::string row(const Style& style, std::string_view label, const std::string& text) {
  return "  " + style.dim(fmt::format("{:<10}", label)) + text + "\n";
}

std::string group_line(const OmissionGroup& group) {
  std::string line = printable(group.what);
  if (group.size > 0) {
    line += fmt::format(", {}", size_text(group.size));
    if (group.count == 1)
      line += fmt::format(" at {:#x}", group.first.begin.value);
    else
      line += fmt::format(" in {} ranges from {:#x}", group.count, group.first.begin.value);
  } else if (group.count > 1) {
    line += fmt::format(", {} times", group.count);
  }
  return line + ": " + printable(group.why);
}

std::string groups_text(const std::vector<Omission>& omissions, bool asked, std::string_view label,
                        const Style& style) {
  std::string text;
  std::size_t shown = 0;
  std::size_t left = 0;
  for (const OmissionGroup& group : group_omissions(omissions)) {
    if (group.asked != asked) continue;
    if (shown++ >= kMostGroups) {
      ++left;
      continue;
    }
    const std::string line = group_line(group);
    text += row(style, label, asked ? line : style.yellow(line));
    label = "";
  }
  if (left > 0) text += row(style, "", fmt::format("and {} more kinds, listed in the dump", left));
  return text;
}

/// How to open it: one line that can be pasted.
std::string next_step(const CaptureReport& report) {
  const std::string gdb = report.format == "minidump"
                              ? std::string("lldb -c ")
                              : "gdb " + (report.process.executable.empty()
                                              ? ""
                                              : shell_word(report.process.executable) + " ");
  if (!report.dump) return "";
  if (!report.compressed) return gdb + shell_word(*report.dump);
  constexpr std::string_view kSuffix = ".zst";
  if (report.dump->ends_with(kSuffix) && report.dump->size() > kSuffix.size()) {
    const std::string plain = report.dump->substr(0, report.dump->size() - kSuffix.size());
    return "zstd -d " + shell_word(*report.dump) + " && " + gdb + shell_word(plain);
  }
  const std::string plain = *report.dump + (report.format == "minidump" ? ".dmp" : ".elf");
  return "zstd -dc " + shell_word(*report.dump) + " > " + shell_word(plain) + " && " + gdb +
         shell_word(plain);
}

std::string rate_text(std::uint64_t bytes, std::uint64_t ms) {
  if (ms == 0) return "";
  return fmt::format(", {}/s", size_text(static_cast<std::uint64_t>(
                                   static_cast<double>(bytes) * 1000 / static_cast<double>(ms))));
}

}  // namespace

std::string losses_text(const CaptureReport& report, const Style& style) {
  std::string text;
  if (report.cut_short) text += row(style, "cut short", style.yellow(printable(*report.cut_short)));
  return text + groups_text(report.omissions, false, "missing", style);
}

std::string capture_text(const CaptureReport& report, const Style& style) {
  const ProcessInfo& process = report.process;
  const CaptureTimings& timings = process.timings;
  std::string text;
  std::string pause;
  if (process.engine == "direct") {
    pause = "not paused";
    if (timings.pause_us > 0) pause = "paused " + duration_text(us(timings.pause_us));
  } else {
    pause = fmt::format("paused {}, {} predicted", style.bold(duration_text(us(timings.pause_us))),
                        duration_text(us(timings.predicted_pause_us)));
    if (timings.running_pause_us > 0) {
      pause +=
          fmt::format("; {} for threads that ran", duration_text(us(timings.running_pause_us)));
    }
  }
  text += fmt::format("{} {} ({}): {}\n", style.green("captured"), printable(process.comm),
                      process.pid, pause);
  const std::string grade =
      process.consistency.empty() ? "" : ", " + printable(process.consistency);
  text += row(style, "engine",
              process.engine == "direct" ? style.yellow(printable(process.engine) + grade)
                                         : printable(process.engine) + grade);
  for (const std::string& note : report.notes) text += row(style, "", printable(note));
  text += row(style, "memory",
              fmt::format("{} in {}, {}", size_text(report.memory_bytes),
                          count_text(report.regions, "mapping", "mappings"),
                          count_text(report.threads, "thread", "threads")));
  text += row(style, "dump",
              fmt::format("{} written in {}{}", size_text(report.dump_bytes),
                          duration_text(us(report.write_ms * 1000)),
                          rate_text(report.memory_bytes, report.write_ms)));
  text += losses_text(report, style);
  std::uint64_t torn = 0;
  for (const TornRange& each : report.torn) torn += each.range.size;
  if (!report.torn.empty()) {
    text += row(style, "later",
                fmt::format("{} in {} not of that instant: {}", size_text(torn),
                            count_text(report.torn.size(), "range", "ranges"),
                            printable(report.torn.front().why)));
  }
  text += groups_text(report.omissions, true, "left out", style);
  const std::string next = next_step(report);
  if (!next.empty()) text += row(style, "open", next);
  return text;
}

}  // namespace doppel
