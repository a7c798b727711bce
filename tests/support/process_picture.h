// SPDX-License-Identifier: Apache-2.0
//
// What the outside can see of a process, as a value that can be compared: a capture must not change
// any of it. Reads /proc only; knows nothing of doppel.
#ifndef DOPPEL_TESTS_SUPPORT_PROCESS_PICTURE_H_
#define DOPPEL_TESTS_SUPPORT_PROCESS_PICTURE_H_

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace doppel {

/// The whole file, or "" when it cannot be read.
std::string read_text(const std::string& path);

/// The value of "Key:\tvalue" in a status text, without the blanks around it.
std::string status_field(const std::string& status, const std::string& key);

/// Names of the entries of a directory that are numbers.
std::vector<int> numbers_in(const std::string& directory);

struct ThreadPicture {
  char state = '?';  ///< S and R count as one here: a thread may be either at any time
  std::string tracer;
  std::string signals;  ///< pending, blocked
  bool operator==(const ThreadPicture&) const = default;
};

struct ProcessPicture {
  std::map<pid_t, ThreadPicture> threads;
  std::string maps;
  std::map<int, std::string> descriptors;  ///< number to what it refers to
  std::set<pid_t> children;                ///< of any thread, zombies included
  std::string shared_signals;              ///< pending for the process, ignored, caught
  std::string identity;  ///< group, session, seccomp, no_new_privs, oom score, comm
};

/// A picture now. A process that is gone gives one without threads.
ProcessPicture take_picture(pid_t pid);

/// What differs, one line each; empty when nothing does. A process that never rests (threads, maps
/// and children come and go) is compared in `identity` and for tracers and stopped threads only.
std::vector<std::string> differences(const ProcessPicture& before, const ProcessPicture& after,
                                     bool restless);

/// Processes, dead ones included, that carry `mark` in their environment (a forked or cloned
/// address space does) or have one of `parents` as their parent, without `except`.
std::vector<std::string> related_processes(const std::string& mark, const std::set<pid_t>& parents,
                                           const std::set<pid_t>& except);

/// Of this very process: descriptors and children.
struct OwnPicture {
  std::map<int, std::string> descriptors;
  std::set<pid_t> children;
  std::set<std::string> orphans;  ///< processes of this program that init has taken over
  bool operator==(const OwnPicture&) const = default;
};

OwnPicture take_own_picture();
std::string describe(const OwnPicture& before, const OwnPicture& after);

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_PROCESS_PICTURE_H_
