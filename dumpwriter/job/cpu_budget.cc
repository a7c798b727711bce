// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <dumpwriter/job/cpu_budget.h>

namespace doppel {
namespace {

std::string read_small_file(Sys& sys, const std::string& path) {
  const long fd = sys.openat(AT_FDCWD, path.c_str(), O_RDONLY);
  if (fd < 0) return {};
  std::string text(4096, '\0');
  const long count = sys.read(static_cast<int>(fd), text.data(), text.size());
  (void)sys.close(static_cast<int>(fd));
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

std::optional<long> number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<unsigned> cpus(std::optional<long> quota, std::optional<long> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<unsigned>((*quota + *period - 1) / *period);
}

/// cpu.max: "QUOTA PERIOD" or "max PERIOD" (Documentation/admin-guide/cgroup-v2.rst).
std::optional<unsigned> quota_v2(Sys& sys, const std::string& directory) {
  const std::string text = read_small_file(sys, directory + "/cpu.max");
  const std::size_t space = text.find(' ');
  if (space == std::string::npos) return std::nullopt;
  return cpus(number(std::string_view(text).substr(0, space)),
              number(std::string_view(text).substr(space + 1)));
}

/// cpu.cfs_quota_us: -1 without a limit (Documentation/scheduler/sched-bwc.rst).
std::optional<unsigned> quota_v1(Sys& sys, const std::string& directory) {
  return cpus(number(read_small_file(sys, directory + "/cpu.cfs_quota_us")),
              number(read_small_file(sys, directory + "/cpu.cfs_period_us")));
}

unsigned affinity(Sys& sys) {
  // The kernel answers how many bytes of its mask it wrote; EINVAL when the room is too small.
  std::array<unsigned long, 1024> mask{};  // 65536 CPUs
  const long bytes =
      sys.invoke(SYS_sched_getaffinity, 0, sizeof mask, reinterpret_cast<long>(mask.data()));
  if (bytes <= 0) return 1;
  unsigned count = 0;
  for (const unsigned long word : mask) count += static_cast<unsigned>(std::popcount(word));
  return std::max(count, 1u);
}

}  // namespace

unsigned available_cpus(Sys& sys) {
  unsigned budget = affinity(sys);
  const std::string membership = read_small_file(sys, "/proc/self/cgroup");
  std::string_view rest = membership;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + std::string(controllers) + ",").find(",cpu,") == std::string::npos) continue;
    const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + std::string(controllers);
    std::string path(line.substr(second + 1));
    while (true) {
      const std::string directory = path == "/" ? root : root + path;
      if (const auto quota = v2 ? quota_v2(sys, directory) : quota_v1(sys, directory)) {
        budget = std::min(budget, *quota);
      }
      const std::size_t slash = path.rfind('/');
      if (path.size() <= 1 || slash == std::string::npos) break;
      path.resize(std::max<std::size_t>(slash, 1));
    }
  }
  return std::max(budget, 1u);
}

}  // namespace doppel
