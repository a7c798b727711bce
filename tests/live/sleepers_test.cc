// SPDX-License-Identifier: Apache-2.0
//
// Every system call that can sleep is captured twice while it sleeps. None may say EINTR; the calls
// of the promise end on time, endless ones wake when they are woken, the rest is late by at most
// the time it had slept. The table of what was measured is docs/syscalls-while-captured.md; it is
// written anew when DOPPEL_WRITE_DOCS names the file.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <tests/live/capturing.h>

namespace doppel {
namespace {

constexpr double kSeconds = 1.6;
constexpr double kSlack =
    150;  // ms: timer wheel (1/8 of the time-out at worst is 28 here), pause, load

struct Report {
  std::string call, outcome, expected;
  bool finite = false;
  double entered = 0, elapsed = 0, late = 0;
};

std::string member(const std::string& json, const std::string& key) {
  const std::size_t at = json.find("\"" + key + "\":");
  if (at == std::string::npos) return "";
  std::size_t begin = at + key.size() + 3;
  if (json[begin] == '"') return json.substr(begin + 1, json.find('"', begin + 1) - begin - 1);
  return json.substr(begin, json.find_first_of(",}", begin) - begin);
}

Report parse(const std::string& json) {
  return {.call = member(json, "call"),
          .outcome = member(json, "outcome"),
          .expected = member(json, "expected"),
          .finite = member(json, "finite") == "true",
          .entered = std::strtod(member(json, "entered_ms").c_str(), nullptr),
          .elapsed = std::strtod(member(json, "elapsed_ms").c_str(), nullptr),
          .late = std::strtod(member(json, "late_ms").c_str(), nullptr)};
}

double now_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool promised_on_time(const std::string& call) {
  static const std::set<std::string> promised = {"nanosleep",
                                                 "clock_nanosleep relative",
                                                 "clock_nanosleep absolute",
                                                 "poll",
                                                 "ppoll",
                                                 "select",
                                                 "pselect6",
                                                 "futex wait",
                                                 "futex wait_bitset absolute",
                                                 "futex_waitv",
                                                 "futex lock_pi",
                                                 "sem_timedwait",
                                                 "wait4",
                                                 "waitid",
                                                 "epoll_wait",
                                                 "epoll_pwait",
                                                 "read timerfd",
                                                 "mq_timedreceive",
                                                 "mq_timedsend"};
  return promised.contains(call);
}

/// What the kernel answers to the stop, inside, before anyone sees it: read off with strace and
/// SIGSTOP on Linux 6.18.
const char* answer_to_stop(const std::string& call) {
  static const std::map<std::string, const char*> others = {
      {"nanosleep", "RESTARTBLOCK"},
      {"clock_nanosleep relative", "RESTARTBLOCK"},
      {"clock_nanosleep absolute", "NOHAND"},
      {"pause", "NOHAND"},
      {"rt_sigsuspend", "NOHAND"},
      {"poll", "RESTARTBLOCK"},
      {"poll endless", "RESTARTBLOCK"},
      {"ppoll", "NOHAND"},
      {"ppoll endless", "NOHAND"},
      {"select", "NOHAND"},
      {"select endless", "NOHAND"},
      {"pselect6", "NOHAND"},
      {"pselect6 endless", "NOHAND"},
      {"futex wait", "RESTARTBLOCK"},
      {"futex wait_bitset absolute", "RESTARTBLOCK"},
      {"sem_timedwait", "RESTARTBLOCK"},
      {"futex lock_pi", "NOINTR"},
      {"futex lock_pi endless", "NOINTR"},
      {"msgrcv endless", "NOHAND"},
      {"msgsnd endless", "NOHAND"},
      {"io_pgetevents", "NOHAND"}};
  // Sockets answer so only with a time-out of their own (net/core/sock.h, sock_intr_errno).
  static const std::set<std::string> rewound = {"rt_sigtimedwait", "rt_sigtimedwait endless",
                                                "epoll_wait",      "epoll_wait endless",
                                                "epoll_pwait",     "epoll_pwait endless",
                                                "epoll_pwait2",    "epoll_pwait2 endless",
                                                "read socket",     "readv socket",
                                                "recvfrom",        "recvmsg",
                                                "recvmmsg",        "write socket",
                                                "sendto",          "sendmsg",
                                                "accept",          "accept4 tcp",
                                                "connect",         "recvfrom udp",
                                                "semtimedop",      "semop endless",
                                                "io_getevents",    "io_getevents endless",
                                                "io_uring_enter",  "io_uring_enter endless"};
  if (const auto found = others.find(call); found != others.end()) return found->second;
  return rewound.contains(call) ? "EINTR, rewound" : "SYS";
}

std::string shown_name(const Report& report) {
  std::string name = report.call;
  if (name.ends_with(" endless")) name.resize(name.size() - 8);
  return name;
}

void write_table(const char* path, const std::vector<Report>& reports, double slept) {
  std::ofstream out(path);
  out << R"(# System calls that sleep while they are captured

A capture stops every thread for a moment, and a stop wakes whoever sleeps in the kernel. No call fails for it: most go
back to sleep by themselves; those that would return `EINTR` are begun again by doppel.

This file is written by `tests/live/sleepers_test` (`DOPPEL_WRITE_DOCS` names it), which fails when a call is missing
here. What each call answers to a stop was read off with strace.

## How

| answer | what the kernel does with it | so the call |
|---|---|---|
| `SYS`, `NOINTR` | `ERESTARTSYS`, `ERESTARTNOINTR`: the call is made again with the same arguments | sleeps on; a time-out that is a point in time (futexes, message queues, timerfd) still holds, `VTIME` of a terminal begins anew |
| `NOHAND` | `ERESTARTNOHAND`: the same, unless a handler runs; `select` and `ppoll` have written the time that is left into their argument, as they always do | ends on time; `io_pgetevents` has written nothing and begins its time-out anew |
| `RESTARTBLOCK` | `ERESTART_RESTARTBLOCK`: `restart_syscall` goes on until the point in time that the kernel has kept | ends on time |
| `EINTR, rewound` | `EINTR`, which the program would see (epoll, sockets with a time-out, semaphores of System V, ...): doppel turns it into `ERESTARTNOHAND` before the release (`snapshot/linux/restart.h`) | is made again with the same arguments; see below for its time-out |

A borrowed thread makes doppel's calls and then gets its registers back *in a stop of the kind it was found in*, so that
the kernel resolves its own answer; none of the injected calls touches the restart block.

A call that is rewound begins its time-out anew, unless the time-out stands in a register: then (`epoll_wait`,
`epoll_pwait`) the time already slept is taken off it. Where it stands in memory or in a socket option it stays, since
doppel writes nothing into the target: **such a call ends late by at most the time it had slept when it was last
captured**. The time slept comes from `/proc/PID/task/TID/sched`; on a kernel without it (no `CONFIG_SCHED_DEBUG`)
`epoll_wait` is among the late ones. A signal that arrives during the stop ends the call with `EINTR`, as it
would have without us.

In a process that was stopped before (SIGSTOP), `EINTR` is the program's own to see on SIGCONT, and left alone.

)";
  char text[512];
  std::snprintf(text, sizeof text,
                "Measured with a time-out of %.1f s and two captures, the second %.0f ms after the "
                "calls began. *Late* is the distance to\nthe moment the call was due, with timers "
                "of the kernel's own grain (sockets: up to 1/8 of a power of two of ticks)\n"
                "included.\n\n",
                kSeconds, slept);
  out << text << "## With a time-out\n\n| call | returns | answer to a stop | ends | late |\n"
      << "|---|---|---|---|--:|\n";
  for (const Report& report : reports) {
    if (!report.finite) continue;
    const char* ends = report.late < kSlack ? "on time" : "late, by the time slept";
    std::snprintf(text, sizeof text, "| %s | %s | %s | %s | %.0f ms |\n", report.call.c_str(),
                  report.outcome.c_str(), answer_to_stop(report.call), ends, report.late);
    out << text;
  }
  out << "\n## Without a time-out\n\nAll of these sleep on, and wake when they are woken.\n\n"
         "| call | returns | answer to a stop | late |\n|---|---|---|--:|\n";
  for (const Report& report : reports) {
    if (report.finite) continue;
    std::snprintf(text, sizeof text, "| %s | %s | %s | %.1f ms |\n", shown_name(report).c_str(),
                  report.outcome.c_str(), answer_to_stop(report.call), report.late);
    out << text;
  }
  out << "\n`pause` and `rt_sigsuspend` always return `EINTR`, after the signal they wait for; the "
         "test counts that\ntheir handler ran exactly once.\n";
}

/// Which of the calls the document does not name in the table it belongs to. None where there are
/// no sources, as in the virtual machine.
std::string missing_in_docs(const std::vector<Report>& reports) {
  if (!std::filesystem::exists(DOPPEL_SOURCE_DIR "/docs")) return "";
  std::ifstream file(DOPPEL_SOURCE_DIR "/docs/syscalls-while-captured.md");
  const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t middle = all.find("## Without a time-out");
  if (middle == std::string::npos) return "the whole document";
  std::string missing;
  for (const Report& report : reports) {
    const std::string row = "\n| " + shown_name(report) + " | " + report.expected + " | " +
                            answer_to_stop(report.call) + " |";
    const std::size_t at = all.find(row, report.finite ? 0 : middle);
    if (at == std::string::npos || (report.finite && at > middle)) missing += report.call + "; ";
  }
  return missing;
}

TEST(Sleepers, AnswerAsIfNothingHadHappened) {
  LiveTarget target("sleepers", {std::to_string(kSeconds)});
  const double begun = now_ms();
  const Unharmed unharmed(target, true);
  double last = begun;
  double first_captured = 0;
  for (double at : {0.25 * kSeconds, 0.5 * kSeconds}) {
    const double wait = begun + at * 1000 - now_ms();
    if (wait > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(wait));
    last = now_ms();
    auto snapshot = capture(target.pid());
    DOPPEL_ASSERT_OK(snapshot);
    EXPECT_EQ(snapshot->image.process.engine, "clone");
    if (first_captured == 0) first_captured = now_ms();
  }
  const double captured = now_ms();
  EXPECT_EQ(unharmed.harm(), "");
  target.command("release");
  ASSERT_EQ(target.next_line(), "released");
  const Ending ending = target.finish();
  ASSERT_TRUE(ending.ok) << ending.failure;
  ASSERT_EQ(ending.reports.size(), target.number("calls"));
  std::vector<Report> reports;
  for (const std::string& line : ending.reports) {
    const Report report = parse(line);
    SCOPED_TRACE(line);
    reports.push_back(report);
    EXPECT_EQ(report.outcome, report.expected);
    EXPECT_GT(report.late, -2.0) << "ended early";
    if (report.finite) {
      EXPECT_LT(first_captured, report.entered + kSeconds * 1000)
          << "it did not sleep any more: this proves nothing";
    }
    const double slept = captured - report.entered;
    const double allowed = !report.finite || promised_on_time(report.call) ? 0 : slept;
    EXPECT_LT(report.late, allowed + kSlack);
  }
  if (const char* path = std::getenv("DOPPEL_WRITE_DOCS")) write_table(path, reports, last - begun);
  EXPECT_EQ(missing_in_docs(reports), "");
}

}  // namespace
}  // namespace doppel
