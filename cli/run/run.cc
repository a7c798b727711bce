// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <cli/run/run.h>
#include <cli/run/supervisor.h>

namespace doppel {

int run_command(const ServiceOptions& options, const Console& console, Sys& sys) {
  int status = 0;
  {
    Supervisor supervisor(options, console, sys);
    status = supervisor.run();
  }
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  const int signal = WTERMSIG(status);
  if (::getpid() != 1) {
    // Who started us sees what it would have seen of the service. One core is enough.
    const rlimit no_core{0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)::signal(signal, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    (void)::raise(signal);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
  return 128 + signal;
}

}  // namespace doppel
