// SPDX-License-Identifier: Apache-2.0
//
// Whether a signal that a traced thread has stopped for is the end of its process, and a crash: its
// default action writes a core, and nothing stands between it and that action. A signal that is
// blocked, or taken by sigwait or a signalfd, never comes to such a stop, so only handlers and
// "ignore" have to be looked for. Pure: text in, answer out.
#ifndef DOPPEL_SNAPSHOT_LINUX_FATAL_SIGNAL_H_
#define DOPPEL_SNAPSHOT_LINUX_FATAL_SIGNAL_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace doppel {

/// What /proc/TID/status says of the signals of a process. Bit n-1 is signal n.
struct SignalActions {
  std::uint64_t ignored = 0;
  std::uint64_t caught = 0;
  /// The process is the init of a pid namespace: what is sent to it without a handler is dropped
  /// (kernel/signal.c, SIGNAL_UNKILLABLE).
  bool namespace_init = false;
  bool operator==(const SignalActions&) const = default;
};

/// Looks only for the lines it needs: this stands in the way of every SIGSEGV that a runtime
/// handles. Nothing when they are not there.
std::optional<SignalActions> parse_signal_actions(std::string_view status);

/// True for signals whose default action is to dump core (signal(7)).
bool dumps_core(int signal);

/// True when the thread that stopped for `signal` dies of it. `code` is the si_code of the signal:
/// the kernel's own (> 0) reaches an init too.
bool is_crash(int signal, int code, const SignalActions& actions);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_FATAL_SIGNAL_H_
