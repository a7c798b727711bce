// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include <cli/run/service.h>
#include <cli/run/service_environment.h>
#include <snapshot/linux/stop.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

/// In the child: waits until it is watched, then becomes the service. Tells an errno and ends when
/// it cannot.
[[noreturn]] void become(const ServiceStart& start, pid_t parent, int go, int told) {
  char byte = 0;
  // An end of file: doppel is gone before it began.
  if (::read(go, &byte, 1) != 1) ::_exit(127);
  std::vector<std::string> command = start.command;
  std::vector<std::string> environment =
      service_environment(start.environment, parent, ::getpid(), start.notify);
  const std::vector<char*> argv = pointers(command);
  const std::vector<char*> envp = pointers(environment);
  ::pthread_sigmask(SIG_SETMASK, &start.mask, nullptr);
  ::execvpe(argv[0], argv.data(), envp.data());
  const int error = errno;
  (void)!::write(told, &error, sizeof error);
  ::_exit(error == ENOENT ? 127 : 126);
}

}  // namespace

Result<StartedService> start_service(Sys& sys, const ServiceStart& start) {
  int go[2] = {-1, -1};
  int told[2] = {-1, -1};
  DOPPEL_TRY(check(sys.pipe2(go, O_CLOEXEC), "make a pipe to the service"));
  const UniqueFd go_read(go[0]);
  UniqueFd go_write(go[1]);
  DOPPEL_TRY(check(sys.pipe2(told, O_CLOEXEC), "make a pipe to the service"));
  const UniqueFd told_read(told[0]);
  UniqueFd told_write(told[1]);
  const pid_t parent = ::getpid();
  const long pid = sys.fork();
  if (pid == 0) {
    go_write.reset();
    become(start, parent, go_read.get(), told_write.get());
  }
  DOPPEL_TRY(check(pid, "start a process for the service"));
  told_write.reset();
  StartedService started{.pid = static_cast<pid_t>(pid), .unwatched = {}};
  const Result<long> seized = check(
      sys.ptrace(PTRACE_SEIZE, started.pid, nullptr, reinterpret_cast<void*>(start.trace_options)),
      "watch process", std::to_string(started.pid));
  if (!seized) started.unwatched = seized.error();
  (void)sys.write(go_write.get(), "x", 1);
  // The pipe closes with its exec. A signal may stop it before that, and must not keep it.
  while (true) {
    pollfd poll{told_read.get(), POLLIN, 0};
    if (sys.poll(&poll, 1, 5) <= 0) {
      Result<Stop> stop = peek_stop(sys, started.pid);
      if (stop && stop->kind == StopKind::signal) {
        (void)sys.ptrace(PTRACE_CONT, started.pid, nullptr,
                         reinterpret_cast<void*>(static_cast<long>(stop->signal)));
      }
      if (!stop || stop->kind != StopKind::exited) continue;
    }
    int error = 0;
    const long got = sys.read(told_read.get(), &error, sizeof error);
    if (got == -EINTR) continue;
    if (got != static_cast<long>(sizeof error)) break;
    siginfo_t info{};
    while (sys.waitid(P_PID, started.pid, &info, WEXITED) == -EINTR) {
    }
    return fail(Errc::os, "run", start.command.front(), error);
  }
  return started;
}

}  // namespace doppel
