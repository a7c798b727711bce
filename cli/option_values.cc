// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <optional>
#include <system_error>

#include <cli/option_values.h>

namespace doppel {

std::uint64_t number(std::string_view option, const std::string& text, std::uint64_t least,
                     std::uint64_t most, bool hexadecimal) {
  std::string_view digits = text;
  int base = 10;
  if (hexadecimal && (digits.starts_with("0x") || digits.starts_with("0X"))) {
    digits.remove_prefix(2);
    base = 16;
  }
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  const bool whole = end == digits.data() + digits.size() && !digits.empty();
  if (!whole || error != std::errc{} || value < least || value > most) {
    const auto range = hexadecimal ? fmt::format("{:#x} to {:#x}", least, most)
                                   : fmt::format("{} to {}", least, most);
    throw UsageError{fmt::format("{} wants a number from {}, not '{}'", option, range, text)};
  }
  return value;
}

RestartLimit restart_limit(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    throw UsageError{fmt::format("--max-restarts wants N/SECONDS, like 10/60, not '{}'", text)};
  }
  return {.count = number("--max-restarts", text.substr(0, slash), 0, 1'000'000),
          .within = duration<std::chrono::milliseconds>("--max-restarts", text.substr(slash + 1),
                                                        "seconds", 1)};
}

std::pair<FaultSite, std::uint64_t> fault_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos)
    throw UsageError{fmt::format("--fault wants SITE:N, such as commit.charge:3, not '{}'", text)};
  const std::string name = text.substr(0, colon);
  const std::optional<FaultSite> site = fault_site_of(name);
  if (!site) {
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < kFaultSiteCount; ++i)
      names.push_back(fault_site_name(static_cast<FaultSite>(i)));
    throw UsageError{
        fmt::format("--fault knows no site '{}'; there are {}", name, fmt::join(names, ", ")),
        std::string(nearest(name, names))};
  }
  return {*site, number("--fault SITE:N", text.substr(colon + 1), 1,
                        std::numeric_limits<std::uint64_t>::max())};
}

}  // namespace doppel
