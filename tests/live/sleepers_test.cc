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
#include <fstream>
#include <set>
#include <thread>

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

void write_table(const char* path, const std::vector<Report>& reports, double slept) {
  std::ofstream out(path);
  out << "# System calls that sleep while they are captured\n\n"
         "A capture stops every thread for a moment, and a stop wakes whoever sleeps in the "
         "kernel. Most calls go\n"
         "back to sleep by themselves; those that would return `EINTR` are begun again by doppel, "
         "so the program\n"
         "sees none of them fail. Calls that carry their time-out in a register get the time "
         "already slept taken\n"
         "off it; calls that carry it in memory or in a socket option begin it anew, since doppel "
         "writes nothing\n"
         "into the target: they end late by at most the time they had slept.\n\n";
  char text[512];
  std::snprintf(text, sizeof text,
                "Measured by `tests/live/sleepers_test` with a time-out of %.1f s and two "
                "captures, the second %.0f ms\n"
                "after the calls began. *Late* is the distance to the moment the call was due, "
                "with timers of the\n"
                "kernel's own grain (sockets: up to 1/8 of a power of two of ticks) included.\n\n",
                kSeconds, slept);
  out << text << "## With a time-out\n\n| call | answers | ends |  late |\n|---|---|---|--:|\n";
  for (const Report& report : reports) {
    if (!report.finite) continue;
    const char* ends = report.late < kSlack ? "on time" : "late, by the time slept";
    std::snprintf(text, sizeof text, "| %s | %s | %s | %.0f ms |\n", report.call.c_str(),
                  report.outcome.c_str(), ends, report.late);
    out << text;
  }
  out << "\n## Without a time-out\n\nAll of these sleep on, and wake when they are woken.\n\n"
         "| call | answers | late |\n|---|---|--:|\n";
  for (const Report& report : reports) {
    if (report.finite) continue;
    std::string name = report.call;
    if (name.ends_with(" endless")) name.resize(name.size() - 8);
    std::snprintf(text, sizeof text, "| %s | %s | %.1f ms |\n", name.c_str(),
                  report.outcome.c_str(), report.late);
    out << text;
  }
  out << "\n`pause` and `rt_sigsuspend` always answer `EINTR`, after the signal they wait for; the "
         "test counts that\n"
         "their handler ran exactly once.\n";
}

TEST(Sleepers, AnswerAsIfNothingHadHappened) {
  LiveTarget target("sleepers", {std::to_string(kSeconds)});
  const double begun = now_ms();
  const Unharmed unharmed(target, true);
  double last = begun;
  for (double at : {0.25 * kSeconds, 0.5 * kSeconds}) {
    const double wait = begun + at * 1000 - now_ms();
    if (wait > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(wait));
    last = now_ms();
    auto snapshot = capture(target.pid());
    DOPPEL_ASSERT_OK(snapshot);
    EXPECT_EQ(snapshot->image.process.engine, "clone");
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
    const double slept = captured - report.entered;
    const double allowed = !report.finite || promised_on_time(report.call) ? 0 : slept;
    EXPECT_LT(report.late, allowed + kSlack);
  }
  if (const char* path = std::getenv("DOPPEL_WRITE_DOCS")) write_table(path, reports, last - begun);
}

}  // namespace
}  // namespace doppel
