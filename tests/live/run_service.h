// SPDX-License-Identifier: Apache-2.0
//
// `doppel run` with a service behind it: what it says line by line, what doppel tells of it, and
// what is left in its dump directory.
#ifndef DOPPEL_TESTS_LIVE_RUN_SERVICE_H_
#define DOPPEL_TESTS_LIVE_RUN_SERVICE_H_

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <snapshot/support/unique_fd.h>
#include <tests/support/temp_dir.h>

namespace doppel {

/// One line of --json-events. Only what the tests ask for is taken out of it.
struct Event {
  std::string line;

  std::string name() const { return text("event"); }

  std::string text(const std::string& key) const {
    const std::string mark = "\"" + key + "\":\"";
    const std::size_t at = line.find(mark);
    if (at == std::string::npos) return "";
    const std::size_t begin = at + mark.size();
    return line.substr(begin, line.find('"', begin) - begin);
  }

  long number(const std::string& key) const {
    const std::string mark = "\"" + key + "\":";
    const std::size_t at = line.find(mark);
    return at == std::string::npos ? -1 : std::strtol(line.c_str() + at + mark.size(), nullptr, 10);
  }

  bool says(const std::string& text) const { return line.find(text) != std::string::npos; }
};

struct RunServiceOptions {
  std::vector<std::string> wrapper;  ///< a command that runs doppel
  long user = -1;
  std::function<void()> in_child = {};  ///< before doppel is started
};

class RunService {
 public:
  /// `arguments`: what stands between "doppel run" and "--"; dump directory and event file are
  /// added.
  RunService(const std::vector<std::string>& arguments, const std::vector<std::string>& command,
             const RunServiceOptions& options = {}) {
    std::vector<std::string> words = options.wrapper;
    words.insert(words.end(), {DOPPEL_PROGRAM, "run", "--dump-dir", directory_.path().string(),
                               "--json-events", directory_.file("events")});
    words.insert(words.end(), arguments.begin(), arguments.end());
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
    if (options.user >= 0 && ::chown(directory_.path().c_str(), static_cast<uid_t>(options.user),
                                     static_cast<gid_t>(options.user)) != 0)
      std::abort();
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) std::abort();
    const int error =
        ::open(directory_.file("stderr").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0666);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::dup2(error, 2);
      if (options.user >= 0) {
        const auto id = static_cast<unsigned>(options.user);
        if (::setgid(id) != 0 || ::setuid(id) != 0) ::_exit(97);
      }
      if (options.in_child) options.in_child();
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      ::execvp(argv[0], argv.data());
      ::_exit(96);
    }
    ::close(in[0]);
    ::close(out[1]);
    ::close(error);
    input_.reset(in[1]);
    output_.reset(out[0]);
  }

  RunService(const RunService&) = delete;
  RunService& operator=(const RunService&) = delete;

  ~RunService() {
    input_.reset();
    output_.reset();
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

  void command(const std::string& line) const {
    const std::string text = line + "\n";
    (void)!::write(input_.get(), text.data(), text.size());
  }

  void close_input() { input_.reset(); }

  /// The next line of the service; "" at the end or after ten seconds.
  std::string next_line() {
    while (true) {
      const std::size_t end = pending_.find('\n');
      if (end != std::string::npos) {
        std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        return line;
      }
      pollfd poll{output_.get(), POLLIN, 0};
      char buffer[4096];
      if (::poll(&poll, 1, 10'000) <= 0) return "";
      const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
      if (got <= 0) return "";
      pending_.append(buffer, static_cast<std::size_t>(got));
    }
  }

  /// Reads up to the line "ready"; the facts on the way. Empty when it does not come.
  std::map<std::string, std::string> await_ready() {
    std::map<std::string, std::string> facts;
    while (true) {
      const std::string line = next_line();
      if (line.empty()) return {};
      if (line == "ready") {
        facts["ready"] = "1";
        return facts;
      }
      const std::size_t equals = line.find('=');
      if (equals != std::string::npos) facts[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }

  std::vector<Event> events() const {
    std::vector<Event> all;
    std::ifstream file(directory_.file("events"));
    for (std::string line; std::getline(file, line);) all.push_back({line});
    return all;
  }

  std::vector<Event> events(const std::string& name) const {
    std::vector<Event> all = events();
    std::erase_if(all, [&](const Event& event) { return event.name() != name; });
    return all;
  }

  /// Waits until there are `count` events of that name, at most twenty seconds.
  bool await_events(const std::string& name, std::size_t count) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (events(name).size() < count) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      ::usleep(2000);
    }
    return true;
  }

  std::vector<std::string> dumps() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      if (entry.path().filename().string().find(".core") != std::string::npos)
        paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  std::string errors() const {
    std::ifstream file(directory_.file("stderr"));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const TempDir& directory() const { return directory_; }

  /// Waits for the end of doppel; its status as waitpid gives it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  TempDir directory_;
  pid_t pid_ = -1;
  UniqueFd input_, output_;
  std::string pending_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_LIVE_RUN_SERVICE_H_
