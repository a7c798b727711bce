// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>

#include <cli/process_table.h>
#include <cli/render/quantity.h>
#include <cli/suggestion.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/linux/text_scan.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

constexpr std::int32_t kPidLimit = 4 * 1024 * 1024;

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::string_view without_deleted(std::string_view path) {
  constexpr std::string_view kMark = " (deleted)";
  if (path.ends_with(kMark)) path.remove_suffix(kMark.size());
  return path;
}

std::int64_t boot_time_ns() {
  timespec real{};
  timespec boot{};
  ::clock_gettime(CLOCK_REALTIME, &real);
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000ll + t.tv_nsec; };
  return ns(real) - ns(boot);
}

std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) words.emplace_back(text::next_field(text, '\0'));
  return words;
}

std::vector<std::int32_t> list_ids(Sys& sys) {
  std::vector<std::int32_t> ids;
  const long fd = sys.openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return ids;
  const UniqueFd directory(static_cast<int>(fd));
  const auto names = list_directory(sys, directory.get(), "/proc");
  if (!names) return ids;
  for (const std::string& name : *names) {
    if (const auto pid = text::number<std::int32_t>(name)) ids.push_back(*pid);
  }
  std::ranges::sort(ids);
  return ids;
}

std::optional<ProcessEntry> describe(Sys& sys, std::int32_t pid, std::int64_t boot_ns) {
  const Result<ProcDir> directory = ProcDir::open(sys, pid);
  if (!directory) return std::nullopt;
  const auto stat = parse_stat(directory->read_text("stat").value_or(""));
  const auto status = parse_status(directory->read_text("status").value_or(""));
  if (!stat || !status || (stat->flags & kTaskKernelThread) != 0 || stat->state == 'Z' ||
      stat->state == 'X')
    return std::nullopt;
  ProcessEntry entry;
  entry.pid = pid;
  entry.uid = status->uid.effective;
  entry.started_at_ns = boot_ns + static_cast<std::int64_t>(ticks_to_us(stat->start_ticks)) * 1000;
  entry.comm = stat->comm;
  entry.executable = without_deleted(directory->read_link("exe").value_or(""));
  entry.arguments = split_arguments(directory->read_text("cmdline").value_or(""));
  return entry;
}

std::string user_name(std::uint32_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return fmt::format("{}", uid);
}

}  // namespace

bool looks_like_pid(std::string_view target) {
  if (target.starts_with('-') || target.starts_with('+')) target.remove_prefix(1);
  return !target.empty() &&
         std::ranges::all_of(target, [](char c) { return c >= '0' && c <= '9'; });
}

std::variant<std::int32_t, Message> parse_pid(std::string_view target) {
  const auto value = text::number<std::int32_t>(target);
  if (value && *value >= 1 && *value <= kPidLimit) return *value;
  return Message{.exit = ExitCode::usage,
                 .what = fmt::format("'{}' is not a process id", target),
                 .why = fmt::format("ids go from 1 to {}", kPidLimit),
                 .next = "ps -e lists them"};
}

std::vector<ProcessEntry> match_name(const std::vector<ProcessEntry>& processes,
                                     std::string_view name) {
  const auto those = [&](auto matches) {
    std::vector<ProcessEntry> found;
    std::ranges::copy_if(processes, std::back_inserter(found), matches);
    return found;
  };
  auto found = those([&](const ProcessEntry& each) { return each.comm == name; });
  if (!found.empty()) return found;
  found = those([&](const ProcessEntry& each) {
    return !each.executable.empty() && file_name(each.executable) == name;
  });
  if (!found.empty()) return found;
  return those([&](const ProcessEntry& each) {
    return !each.arguments.empty() &&
           (each.arguments[0] == name || file_name(each.arguments[0]) == name);
  });
}

std::string nearest_name(const std::vector<ProcessEntry>& processes, std::string_view name) {
  std::vector<std::string_view> names;
  for (const ProcessEntry& each : processes) names.push_back(each.comm);
  return std::string(nearest(name, names));
}

std::vector<ProcessEntry> list_processes(Sys& sys, std::int32_t except) {
  const std::int64_t boot_ns = boot_time_ns();
  std::vector<ProcessEntry> processes;
  for (const std::int32_t pid : list_ids(sys)) {
    if (pid == except) continue;
    if (auto entry = describe(sys, pid, boot_ns)) processes.push_back(std::move(*entry));
  }
  return processes;
}

std::string candidates_text(const std::vector<ProcessEntry>& candidates, unsigned columns) {
  std::string text;
  std::vector<std::string> users;
  users.reserve(candidates.size());
  std::size_t width = 4;
  for (const ProcessEntry& each : candidates) {
    users.push_back(printable(user_name(each.uid)));
    width = std::max(width, users.back().size());
  }
  const auto add = [&](std::string line) {
    if (line.size() > columns) {
      line.resize(columns);
      // Not in the middle of a character.
      while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xc0) == 0x80)
        line.pop_back();
      if (!line.empty() && (static_cast<unsigned char>(line.back()) & 0x80) != 0) line.pop_back();
    }
    text += line + "\n";
  };
  add(fmt::format("{:>8}  {:<{}}  {:<20}  {}", "PID", "USER", width, "STARTED", "COMMAND"));
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const ProcessEntry& each = candidates[i];
    std::string command;
    for (const std::string& word : each.arguments) {
      if (!command.empty()) command += ' ';
      command += word;
    }
    if (command.empty()) command = "[" + each.comm + "]";
    add(fmt::format("{:>8}  {:<{}}  {:<20}  {}", each.pid, users[i], width,
                    utc_text(each.started_at_ns), printable(command)));
  }
  return text;
}

std::variant<std::int32_t, Message> resolve_target(Sys& sys, std::string_view target,
                                                   std::vector<ProcessEntry>& candidates) {
  if (looks_like_pid(target)) return parse_pid(target);
  const auto processes = list_processes(sys, ::getpid());
  candidates = match_name(processes, target);
  if (candidates.size() == 1) return candidates.front().pid;
  if (candidates.empty()) {
    const std::string near = nearest_name(processes, target);
    return Message{.exit = ExitCode::no_such_process,
                   .what = fmt::format("no process named '{}'", printable(target)),
                   .why = "",
                   .next = near.empty() ? "ps -e lists them"
                                        : fmt::format("did you mean {}?", printable(near))};
  }
  return Message{
      .exit = ExitCode::usage,
      .what = fmt::format("'{}' names {} processes", printable(target), candidates.size()),
      .why = "",
      .next = "give the PID of one of them"};
}

}  // namespace doppel
