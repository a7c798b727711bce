// SPDX-License-Identifier: Apache-2.0
//
// Runs a program and returns what it said. No shell: arguments arrive as they are.
#ifndef DOPPEL_TESTS_SUPPORT_RUN_COMMAND_H_
#define DOPPEL_TESTS_SUPPORT_RUN_COMMAND_H_

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace doppel {

struct CommandResult {
  int exit = -1;       ///< exit code; 128 + signal; 127 when there is no such program
  std::string output;  ///< stdout and stderr, as they came
};

/// In the C locale, with an empty standard input. Aborts when the system cannot start processes.
inline CommandResult run_command(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  const pid_t child = ::fork();
  if (child < 0) std::abort();
  if (child == 0) {
    ::close(0);
    ::open("/dev/null", O_RDONLY);
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    ::close(ends[0]);
    ::close(ends[1]);
    ::setenv("LC_ALL", "C", 1);
    ::unsetenv("DEBUGINFOD_URLS");
    std::vector<char*> argv;
    for (const std::string& each : arguments) argv.push_back(const_cast<char*>(each.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  CommandResult result;
  std::array<char, 65536> buffer;
  ssize_t got = 0;
  while ((got = ::read(ends[0], buffer.data(), buffer.size())) > 0) {
    result.output.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  result.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

/// Whether `program` is on the PATH and runs.
inline bool has_program(const std::string& program) {
  return run_command({program, "--version"}).exit != 127;
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_RUN_COMMAND_H_
