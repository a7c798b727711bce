// SPDX-License-Identifier: Apache-2.0
//
// Runs the doppel command as a user does, and keeps what it says on its two streams apart.
#ifndef DOPPEL_TESTS_LIVE_CLI_RUN_H_
#define DOPPEL_TESTS_LIVE_CLI_RUN_H_

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <snapshot/support/unique_fd.h>

namespace doppel {

struct Ran {
  int exit = -1;  ///< exit code; 128 + signal
  std::string out, err;
};

struct RunOptions {
  std::string directory;             ///< to run in; empty: ours
  long user = -1;                    ///< run as this user and group
  std::vector<std::string> wrapper;  ///< a command that runs it: {"unshare", "-m"}
  int out = -1;                      ///< descriptor for its stdout; -1: collected
  int err = -1;                      ///< same for stderr
  std::vector<std::pair<std::string, std::string>> environment;  ///< set in addition
};

/// The command on its way. Killed when it is dropped.
class RunningDoppel {
 public:
  explicit RunningDoppel(const std::vector<std::string>& arguments,
                         const RunOptions& options = {}) {
    std::vector<std::string> words = options.wrapper;
    words.emplace_back(DOPPEL_PROGRAM);
    words.insert(words.end(), arguments.begin(), arguments.end());
    int out[2];
    int err[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
      const int null = ::open("/dev/null", O_RDONLY);
      ::dup2(null, 0);
      ::dup2(options.out >= 0 ? options.out : out[1], 1);
      ::dup2(options.err >= 0 ? options.err : err[1], 2);
      if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(97);
      if (options.user >= 0) {
        const auto id = static_cast<unsigned>(options.user);
        if (::setgroups(0, nullptr) != 0 || ::setgid(id) != 0 || ::setuid(id) != 0) ::_exit(97);
      }
      ::setenv("LC_ALL", "C", 1);
      for (const auto& [name, value] : options.environment)
        ::setenv(name.c_str(), value.c_str(), 1);
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      ::execvp(argv[0], argv.data());
      ::_exit(96);
    }
    ::close(out[1]);
    ::close(err[1]);
    out_.reset(out[0]);
    err_.reset(err[0]);
  }

  RunningDoppel(const RunningDoppel&) = delete;
  RunningDoppel& operator=(const RunningDoppel&) = delete;

  ~RunningDoppel() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

  void signal(int number) const { ::kill(pid_, number); }

  /// Reads until both streams end, then waits for the exit.
  Ran wait() {
    Ran ran;
    std::array<pollfd, 2> fds = {pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
    std::array<std::string*, 2> texts = {&ran.out, &ran.err};
    std::array<char, 65536> buffer;
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
      if (::poll(fds.data(), fds.size(), -1) < 0) continue;
      for (std::size_t i = 0; i < fds.size(); ++i) {
        if (fds[i].fd < 0 || fds[i].revents == 0) continue;
        const ssize_t got = ::read(fds[i].fd, buffer.data(), buffer.size());
        if (got > 0)
          texts[i]->append(buffer.data(), static_cast<std::size_t>(got));
        else
          fds[i].fd = -1;
      }
    }
    out_.reset();
    err_.reset();
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    ran.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ran;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd out_, err_;
};

inline Ran run_doppel(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  return RunningDoppel(arguments, options).wait();
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_LIVE_CLI_RUN_H_
