// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include <array>

#include <cli/signal_watch.h>

namespace doppel {
namespace {

// Wakes the thread to end it. Never ignored, since it is blocked and waited for (a blocked signal
// is queued whatever its disposition: kernel/signal.c sig_ignored()).
constexpr int kWake = SIGUSR2;

}  // namespace

SignalWatch::SignalWatch() {
  ::signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set_);
  sigaddset(&set_, kWake);
  for (const int signal : std::array{SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    sigaddset(&set_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  try {
    thread_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {
    // Said by watches(). Nobody would take the signals: they act as if there were no watch.
    ::pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }
}

SignalWatch::~SignalWatch() {
  if (!watches()) return;
  closing_ = true;
  ::pthread_kill(thread_.native_handle(), kWake);
  thread_.join();
}

void SignalWatch::watch() {
  for (;;) {
    int signal = 0;
    if (::sigwait(&set_, &signal) != 0) continue;
    if (signal == kWake) {
      // A stranger's SIGUSR2 would end a program that does not expect one; here it is dropped.
      if (closing_) return;
      continue;
    }
    int none = 0;
    signal_.compare_exchange_strong(none, signal);
    source_.request_stop();
  }
}

const char* signal_name(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "a signal";
  }
}

}  // namespace doppel
