// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include <tests/support/process_picture.h>

namespace doppel {
namespace {

std::string proc(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

std::string link_target(const std::string& path) {
  char text[4096];
  const ssize_t size = ::readlink(path.c_str(), text, sizeof text);
  return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
}

std::map<int, std::string> descriptors_of(const std::string& directory) {
  std::map<int, std::string> found;
  for (int fd : numbers_in(directory)) {
    const std::string target = link_target(directory + "/" + std::to_string(fd));
    // The descriptor that lists the directory is gone by now.
    if (!target.empty()) found[fd] = target;
  }
  return found;
}

std::set<pid_t> children_of(pid_t pid) {
  std::set<pid_t> children;
  for (int tid : numbers_in(proc(pid, "task"))) {
    std::istringstream text(read_text(proc(pid, "task/") + std::to_string(tid) + "/children"));
    for (pid_t child; text >> child;) children.insert(child);
  }
  return children;
}

std::string show(const std::string& value) {
  return value;
}

std::string show(const ThreadPicture& thread) {
  return std::string(1, thread.state) + ", tracer " + thread.tracer + ", signals " + thread.signals;
}

template <class Key, class Value>
void compare(const char* what, const std::map<Key, Value>& before,
             const std::map<Key, Value>& after, std::vector<std::string>& found) {
  for (const auto& [key, value] : before) {
    auto other = after.find(key);
    if (other == after.end())
      found.push_back(std::string(what) + " " + std::to_string(key) + " is gone");
    else if (!(other->second == value))
      found.push_back(std::string(what) + " " + std::to_string(key) + " changed from " +
                      show(value) + " to " + show(other->second));
  }
  for (const auto& [key, value] : after)
    if (!before.contains(key))
      found.push_back(std::string(what) + " " + std::to_string(key) + " is new");
}

}  // namespace

std::string read_text(const std::string& path) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char block[65536];
  for (ssize_t size; (size = ::read(fd, block, sizeof block)) > 0;)
    text.append(block, static_cast<std::size_t>(size));
  ::close(fd);
  return text;
}

std::string status_field(const std::string& status, const std::string& key) {
  std::size_t at = status.find("\n" + key + ":");
  if (at == std::string::npos) return "";
  at += key.size() + 2;
  const std::size_t end = status.find('\n', at);
  std::string value = status.substr(at, end - at);
  value.erase(0, value.find_first_not_of(" \t"));
  return value;
}

std::vector<int> numbers_in(const std::string& directory) {
  std::vector<int> found;
  DIR* opened = ::opendir(directory.c_str());
  if (opened == nullptr) return found;
  while (const dirent* entry = ::readdir(opened))
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
      found.push_back(std::atoi(entry->d_name));
  ::closedir(opened);
  std::sort(found.begin(), found.end());
  return found;
}

ProcessPicture take_picture(pid_t pid) {
  ProcessPicture picture;
  for (int tid : numbers_in(proc(pid, "task"))) {
    const std::string status = read_text(proc(pid, "task/") + std::to_string(tid) + "/status");
    if (status.empty()) continue;
    ThreadPicture& thread = picture.threads[tid];
    const std::string state = status_field(status, "State");
    thread.state = state.empty() ? '?' : state[0];
    if (thread.state == 'R' || thread.state == 'D') thread.state = 'S';
    thread.tracer = status_field(status, "TracerPid");
    thread.signals = status_field(status, "SigPnd") + " " + status_field(status, "SigBlk");
  }
  const std::string status = read_text(proc(pid, "status"));
  picture.maps = read_text(proc(pid, "maps"));
  picture.descriptors = descriptors_of(proc(pid, "fd"));
  picture.children = children_of(pid);
  picture.shared_signals = status_field(status, "ShdPnd") + " " + status_field(status, "SigIgn") +
                           " " + status_field(status, "SigCgt");
  picture.identity =
      "seccomp " + status_field(status, "Seccomp") + " nnp " + status_field(status, "NoNewPrivs") +
      " group " + status_field(status, "NSpgid") + " session " + status_field(status, "NSsid") +
      " parent " + status_field(status, "PPid") + " oom " + read_text(proc(pid, "oom_score_adj")) +
      " comm " + read_text(proc(pid, "comm")) + " cgroup " + read_text(proc(pid, "cgroup")) +
      " filter " + read_text(proc(pid, "coredump_filter")) + " limits " +
      read_text(proc(pid, "limits"));
  return picture;
}

std::vector<std::string> differences(const ProcessPicture& before, const ProcessPicture& after,
                                     bool restless) {
  std::vector<std::string> found;
  if (after.threads.empty()) return {"the process is gone"};
  for (const auto& [tid, thread] : after.threads) {
    if (thread.tracer != "0" && thread.tracer != "")
      found.push_back("thread " + std::to_string(tid) + " is traced by " + thread.tracer);
    if (thread.state == 't')
      found.push_back("thread " + std::to_string(tid) + " is in a tracing stop");
    if (restless && thread.state == 'T')
      found.push_back("thread " + std::to_string(tid) + " is stopped");
  }
  if (before.identity != after.identity)
    found.push_back("identity changed from\n" + before.identity + "\nto\n" + after.identity);
  if (restless) return found;
  compare("thread", before.threads, after.threads, found);
  compare("descriptor", before.descriptors, after.descriptors, found);
  if (before.children != after.children)
    found.push_back("children: " + std::to_string(before.children.size()) + " before, " +
                    std::to_string(after.children.size()) + " after");
  if (before.maps != after.maps)
    found.push_back("maps changed from\n" + before.maps + "\nto\n" + after.maps);
  if (before.shared_signals != after.shared_signals)
    found.push_back("signals changed from " + before.shared_signals + " to " +
                    after.shared_signals);
  return found;
}

std::vector<std::string> related_processes(const std::string& mark, const std::set<pid_t>& parents,
                                           const std::set<pid_t>& except) {
  std::vector<std::string> found;
  for (int pid : numbers_in("/proc")) {
    if (except.contains(pid)) continue;
    const std::string status = read_text(proc(pid, "status"));
    if (status.empty()) continue;
    const std::string parent = status_field(status, "PPid");
    const bool child = !parent.empty() && parents.contains(std::atoi(parent.c_str()));
    if (!child && read_text(proc(pid, "environ")).find(mark) == std::string::npos) continue;
    found.push_back(std::to_string(pid) + " " + read_text(proc(pid, "comm")) + " state " +
                    status_field(status, "State") + " parent " + parent);
  }
  return found;
}

OwnPicture take_own_picture() {
  OwnPicture picture;
  const pid_t self = ::getpid();
  picture.descriptors = descriptors_of("/proc/self/fd");
  picture.children = children_of(self);
  const std::string program = link_target("/proc/self/exe");
  for (int pid : numbers_in("/proc")) {
    if (pid == self || link_target(proc(pid, "exe")) != program) continue;
    if (status_field(read_text(proc(pid, "status")), "PPid") == "1")
      picture.orphans.insert(std::to_string(pid) + " " + read_text(proc(pid, "comm")));
  }
  return picture;
}

std::string describe(const OwnPicture& before, const OwnPicture& after) {
  std::vector<std::string> found;
  compare("own descriptor", before.descriptors, after.descriptors, found);
  for (pid_t child : after.children)
    if (!before.children.contains(child))
      found.push_back("own child " + std::to_string(child) + " " + read_text(proc(child, "comm")) +
                      status_field(read_text(proc(child, "status")), "State"));
  for (const std::string& orphan : after.orphans)
    if (!before.orphans.contains(orphan)) found.push_back("orphan " + orphan);
  std::string text;
  for (const std::string& line : found) text += line + "\n";
  return text;
}

}  // namespace doppel
