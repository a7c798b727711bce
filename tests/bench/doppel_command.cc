// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>

extern char** environ;

namespace doppel::bench {
namespace {

double json_number(const std::string& json, const std::string& key) {
  const std::size_t at = json.find("\"" + key + "\":");
  if (at == std::string::npos) {
    std::fprintf(stderr, "no %s in: %s\n", key.c_str(), json.c_str());
    std::exit(1);
  }
  return std::strtod(json.c_str() + at + key.size() + 3, nullptr);
}

}  // namespace

Settings parse_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--short") {
      settings.brief = true;
    } else if (word == "--doppel" && i + 1 < argc) {
      settings.doppel = argv[++i];
    } else if (word == "--dir" && i + 1 < argc) {
      settings.directory = argv[++i];
    } else {
      std::fprintf(stderr, "usage: %s [--short] [--doppel COMMAND] [--dir DIRECTORY]\n", argv[0]);
      std::exit(2);
    }
  }
  return settings;
}

CommandResult run_command(const std::vector<std::string>& words,
                          const std::function<void(pid_t)>& meanwhile) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) die("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  CommandResult result;
  pid_t pid = 0;
  const auto begin = Clock::now();
  errno = ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  if (errno != 0) die(arguments[0]);
  ::close(out[1]);
  posix_spawn_file_actions_destroy(&actions);
  while (true) {
    pollfd poll{out[0], POLLIN, 0};
    if (::poll(&poll, 1, meanwhile ? 1 : -1) == 0) {
      meanwhile(pid);
      continue;
    }
    char buffer[4096];
    const ssize_t size = ::read(out[0], buffer, sizeof buffer);
    if (size <= 0) break;
    result.out.append(buffer, static_cast<std::size_t>(size));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.wall_ms = milliseconds_since(begin);
  ::close(out[0]);
  if (status != 0) {
    std::fprintf(stderr, "%s: status %d\n%s\n", arguments[0], status, result.out.c_str());
    std::exit(1);
  }
  return result;
}

CaptureResult run_capture(const Settings& settings, pid_t target,
                          const std::function<void(pid_t)>& meanwhile) {
  const std::string path = settings.directory + "/bench.core.zst";
  ::unlink(path.c_str());
  const CommandResult done = run_command(
      {settings.doppel, "capture", std::to_string(target), "-o", path, "--json"}, meanwhile);
  ::unlink(path.c_str());
  return {done.wall_ms, json_number(done.out, "pause_us") / 1000,
          json_number(done.out, "running_pause_us") / 1000, json_number(done.out, "dump_bytes")};
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  DIR* const directory = ::opendir("/proc");
  if (directory == nullptr) return children;
  while (const dirent* entry = ::readdir(directory)) {
    const auto pid = static_cast<pid_t>(std::atoi(entry->d_name));
    if (pid <= 0) continue;
    std::ifstream file(std::string("/proc/") + entry->d_name + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end != std::string::npos && name_end + 4 < line.size() &&
        std::atoi(line.c_str() + name_end + 4) == parent) {
      children.push_back(pid);
    }
  }
  ::closedir(directory);
  return children;
}

}  // namespace doppel::bench
