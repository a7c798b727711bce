// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <tests/support/live_target.h>

namespace doppel {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::abort();
}

void make_pipe(UniqueFd& in, UniqueFd& out) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) give_up("pipe2");
  in.reset(fds[0]);
  out.reset(fds[1]);
}

std::string how_it_died(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

LiveTarget::LiveTarget(const std::string& path, const std::vector<std::string>& arguments,
                       const LiveTargetOptions& options) {
  static std::atomic<unsigned> counter{0};
  mark_ = "DOPPEL_VICTIM=" + std::to_string(::getpid()) + "." + std::to_string(++counter) + ".";
  name_ = path;
  const std::string program =
      path.find('/') == std::string::npos ? DOPPEL_TARGETS_DIR "/" + path : path;
  std::vector<std::string> words = options.wrapper;
  words.push_back(program);
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string environment[] = {mark_, "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C"};
  char* envp[] = {environment[0].data(), environment[1].data(), environment[2].data(), nullptr};
  if (options.user >= 0 && ::chown(directory_.path().c_str(), static_cast<uid_t>(options.user),
                                   static_cast<gid_t>(options.user)) != 0)
    give_up("chown");

  UniqueFd their_input, their_output;
  make_pipe(their_input, input_);
  make_pipe(output_, their_output);
  const pid_t parent = ::getpid();
  started_ = ::fork();
  if (started_ < 0) give_up("fork");
  if (started_ == 0) {
    // The victim must not outlive a test that crashes.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(97);
    ::setsid();
    if (options.descriptor_three >= 0) {
      // dup2 onto itself keeps close-on-exec; nothing else of ours has a low number to fear.
      const int copy = ::fcntl(options.descriptor_three, F_DUPFD, 10);
      ::dup2(copy, 3);
      ::close(copy);
    }
    ::dup2(their_input.get(), 0);
    ::dup2(their_output.get(), 1);
    if (::chdir(directory_.path().c_str()) != 0) ::_exit(97);
    if (options.user >= 0) {
      const gid_t group = static_cast<gid_t>(options.user);
      if (::setgroups(0, nullptr) != 0 || ::setgid(group) != 0 ||
          ::setuid(static_cast<uid_t>(options.user)) != 0)
        ::_exit(97);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(argv[0], argv.data(), envp);
    ::_exit(96);
  }
  pid_ = started_;
  if (!options.wait_ready) return;
  for (;;) {
    const std::string line = next_line(30000);
    if (line == "ready") break;
    if (line.empty() || line.starts_with("failed:")) {
      std::fprintf(stderr, "%s: did not get ready: %s\n", name_.c_str(), line.c_str());
      std::abort();
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    facts_[line.substr(0, equals)] = line.substr(equals + 1);
    if (line.starts_with("skip=")) {
      skip_ = name_ + ": " + line.substr(5);
      return;
    }
  }
  if (has("pid")) pid_ = static_cast<pid_t>(number("pid"));
}

LiveTarget::~LiveTarget() {
  if (started_ <= 0) return;
  if (pid_ != started_) ::kill(pid_, SIGKILL);
  ::kill(started_, SIGKILL);
  int status;
  ::waitpid(started_, &status, 0);
}

std::uint64_t LiveTarget::number(const std::string& key) const {
  return std::strtoull(fact(key).c_str(), nullptr, 0);
}

void LiveTarget::command(const std::string& line) const {
  const std::string text = line + "\n";
  if (::write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    give_up("write to victim");
}

std::string LiveTarget::next_line(int timeout_ms) {
  const auto until = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    const std::size_t end = pending_.find('\n');
    if (end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd wait = {output_.get(), POLLIN, 0};
    if (left < 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) return "";
    char block[4096];
    const ssize_t size = ::read(output_.get(), block, sizeof block);
    if (size <= 0) return "";
    pending_.append(block, static_cast<std::size_t>(size));
  }
}

Ending LiveTarget::finish(int timeout_ms) {
  Ending ending;
  input_.reset();
  bool said_ok = false;
  const auto until = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    const std::string line = next_line(timeout_ms);
    if (line.empty()) break;
    if (line.starts_with("{")) ending.reports.push_back(line);
    if (line.starts_with("failed:")) ending.failure = line;
    if (line == "ok") said_ok = true;
  }
  pid_t ended = 0;
  while ((ended = ::waitpid(started_, &ending.status, WNOHANG)) == 0 && Clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (ended == 0) {
    ending.failure += name_ + " did not end in time";
    return ending;
  }
  started_ = -1;
  ending.ok = said_ok && ended > 0 && WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 0;
  if (!ending.ok && ending.failure.empty())
    ending.failure = name_ + ": " + how_it_died(ending.status);
  return ending;
}

namespace {

/// True while a thread of the picture is just being started: until then libc blocks all signals in
/// it. Under load a victim is ready before its last thread is.
bool has_newborn(const ProcessPicture& picture) {
  return std::ranges::any_of(picture.threads, [](const auto& each) {
    const std::string& signals = each.second.signals;
    const std::size_t last = signals.find_last_of(' ');
    const auto blocked =
        std::strtoull(signals.c_str() + (last == std::string::npos ? 0 : last + 1), nullptr, 16);
    return std::popcount(blocked) > 50 || each.second.state == 'D';
  });
}

ProcessPicture take_settled_picture(pid_t pid) {
  for (int round = 0;; ++round) {
    ProcessPicture picture = take_picture(pid);
    if (!has_newborn(picture) || round == 2000) return picture;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

Unharmed::Unharmed(const LiveTarget& target, bool restless)
    : target_(target),
      restless_(restless),
      // A restless target's threads are not compared, and one may block all signals for good.
      before_(restless ? take_picture(target.pid()) : take_settled_picture(target.pid())),
      own_before_(take_own_picture()) {}

std::string Unharmed::harm() const {
  std::string found;
  // Threads on their way back to sleep and a helper of ours that is just ending are no harm.
  const auto until = Clock::now() + std::chrono::seconds(2);
  for (;;) {
    found.clear();
    const ProcessPicture now = take_picture(target_.pid());
    for (const std::string& line : differences(before_, now, restless_)) found += line + "\n";
    found += describe(own_before_, take_own_picture());
    if (!restless_) {
      std::set<pid_t> known = before_.children;
      known.insert(target_.pid());
      known.insert(target_.started());
      for (const std::string& line :
           related_processes(target_.mark(), {target_.pid(), target_.started()}, known))
        found += "left behind: " + line + "\n";
    }
    if (found.empty() || Clock::now() > until) return found;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool live_required() {
  const char* value = std::getenv("DOPPEL_REQUIRE_LIVE");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace doppel
