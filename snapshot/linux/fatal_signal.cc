// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <csignal>

#include <snapshot/linux/fatal_signal.h>

namespace doppel {
namespace {

/// The rest of the line that begins with `key`, which includes the newline before it.
std::optional<std::string_view> line_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + key.size());
  return text.substr(0, text.find('\n'));
}

std::optional<std::uint64_t> mask_of(std::string_view text, std::string_view key) {
  std::optional<std::string_view> line = line_of(text, key);
  if (!line) return std::nullopt;
  while (!line->empty() && (line->front() == '\t' || line->front() == ' ')) line->remove_prefix(1);
  std::uint64_t mask = 0;
  const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), mask, 16);
  if (error != std::errc() || end == line->data()) return std::nullopt;
  return mask;
}

constexpr std::uint64_t bit(int signal) {
  return 1ull << (signal - 1);
}

}  // namespace

std::optional<SignalActions> parse_signal_actions(std::string_view status) {
  // The name is the first line and may hold anything but a newline (the kernel escapes those).
  const std::optional<std::uint64_t> ignored = mask_of(status, "\nSigIgn:");
  const std::optional<std::uint64_t> caught = mask_of(status, "\nSigCgt:");
  if (!ignored || !caught) return std::nullopt;
  SignalActions actions{.ignored = *ignored, .caught = *caught};
  if (const auto ids = line_of(status, "\nNStgid:")) {
    const std::size_t last = ids->find_last_of("\t ");
    // More than one number: it lives in a namespace below ours.
    const bool nested = last != std::string_view::npos && ids->find_first_not_of("\t ") < last;
    actions.namespace_init = nested && ids->substr(last + 1) == "1";
  }
  return actions;
}

bool dumps_core(int signal) {
  constexpr std::uint64_t kCore = bit(SIGQUIT) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGABRT) |
                                  bit(SIGBUS) | bit(SIGFPE) | bit(SIGSEGV) | bit(SIGXCPU) |
                                  bit(SIGXFSZ) | bit(SIGSYS);
  return signal > 0 && signal <= 64 && (kCore & bit(signal)) != 0;
}

bool is_crash(int signal, int code, const SignalActions& actions) {
  if (!dumps_core(signal)) return false;
  if (((actions.ignored | actions.caught) & bit(signal)) != 0) return false;
  return !(actions.namespace_init && code <= 0);
}

}  // namespace doppel
