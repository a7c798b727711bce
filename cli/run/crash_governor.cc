// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include <cli/run/crash_governor.h>

namespace doppel {
namespace {

/// "module+offset" of an address in executable memory; empty elsewhere.
std::string place(std::uint64_t address, const std::vector<Region>& regions) {
  auto after =
      std::upper_bound(regions.begin(), regions.end(), Address{address},
                       [](Address a, const Region& region) { return a < region.range.begin; });
  if (after == regions.begin()) return {};
  const Region& region = *std::prev(after);
  if (!region.access.execute || !region.range.contains({address})) return {};
  // Code that was made at run time stands elsewhere each time.
  if (region.path.empty()) return "code";
  return fmt::format("{}+{:x}", region.path,
                     address - region.range.begin.value + region.file_offset);
}

}  // namespace

std::string_view dump_size_name(DumpSize size) {
  switch (size) {
    case DumpSize::full:
      return "full";
    case DumpSize::small:
      return "small";
    case DumpSize::counted:
      return "counted";
  }
  return "full";
}

std::string crash_signature(std::string_view executable, int signal, int code,
                            std::uint64_t program_counter, const std::vector<std::uint64_t>& words,
                            const std::vector<Region>& regions) {
  constexpr int kFrames = 4;
  std::string at = place(program_counter, regions);
  std::string signature =
      fmt::format("{}|{}|{}|{}", executable, signal, code, at.empty() ? "nowhere" : at);
  int frames = 0;
  for (const std::uint64_t word : words) {
    if (frames == kFrames) break;
    at = place(word, regions);
    if (at.empty() || at == "code") continue;
    signature += "|" + at;
    ++frames;
  }
  return signature;
}

DumpSize CrashGovernor::decide(const std::string& signature,
                               std::chrono::steady_clock::time_point now) {
  std::erase_if(kinds_, [&](const auto& each) { return now - each.second.first >= kMemory; });
  if (!kinds_.contains(signature) && kinds_.size() == kMostKinds) {
    kinds_.erase(std::min_element(kinds_.begin(), kinds_.end(), [](const auto& a, const auto& b) {
      return a.second.first < b.second.first;
    }));
  }
  Kind& kind = kinds_[signature];
  if (kind.count == 0) kind.first = now;
  ++kind.count;
  if (kind.count == 1) return DumpSize::full;
  return kind.count <= kSmallUpTo ? DumpSize::small : DumpSize::counted;
}

std::uint64_t CrashGovernor::count(const std::string& signature) const {
  const auto at = kinds_.find(signature);
  return at == kinds_.end() ? 0 : at->second.count;
}

}  // namespace doppel
