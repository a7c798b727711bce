// SPDX-License-Identifier: Apache-2.0
//
// The text of an option's value judged, one function for each kind of value, so that a refusal can
// name the option, the text and what would have been right. It must not know the parser.
#ifndef DOPPEL_CLI_OPTION_VALUES_H_
#define DOPPEL_CLI_OPTION_VALUES_H_

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cli/options.h>
#include <cli/suggestion.h>

namespace doppel {

/// Thrown from deep in the judging of a value to parse_arguments(), and never beyond.
struct UsageError {
  std::string what;
  std::string near = {};  ///< what was probably meant; may be empty
};

/// A whole number, both ends included; "0x" is understood where `hexadecimal`.
std::uint64_t number(std::string_view option, const std::string& text, std::uint64_t least,
                     std::uint64_t most, bool hexadecimal = false);

/// A positive length of time; `unit` is "milliseconds" or "seconds", a fraction is welcome.
/// Bounded by a year: beyond it the arithmetic of clocks may wrap.
template <class Duration>
Duration duration(std::string_view option, const std::string& text, const char* unit,
                  double unit_seconds) {
  constexpr double kYear = 366.0 * 24 * 3600;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc{} && end == text.data() + text.size() &&
                    std::isfinite(value) && value > 0 && value * unit_seconds <= kYear;
  const auto ticks =
      good ? std::llround(value * unit_seconds * Duration::period::den / Duration::period::num) : 0;
  if (ticks <= 0) {
    throw UsageError{fmt::format("{} wants a number of {} above 0, of a year at most, not '{}'",
                                 option, unit, text)};
  }
  return Duration(ticks);
}

template <class Value>
using Choices = std::vector<std::pair<std::string_view, Value>>;

template <class Value>
Value choice(std::string_view option, const std::string& text, const Choices<Value>& choices) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    names.push_back(name);
  }
  throw UsageError{
      fmt::format("{} wants one of {}, not '{}'", option, fmt::join(names, ", "), text),
      std::string(nearest(text, names))};
}

/// "N/SECONDS"
RestartLimit restart_limit(const std::string& text);

/// SITE:N, the names of the sites being those of the executive.
std::pair<FaultSite, std::uint64_t> fault_of(const std::string& text);

}  // namespace doppel

#endif  // DOPPEL_CLI_OPTION_VALUES_H_
