// SPDX-License-Identifier: Apache-2.0
//
// `doppel run` from outside: what crashes is dumped and back, what does not is left alone, and the
// end is the service's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include <dumpwriter/read/open_dump.h>
#include <tests/live/capturing.h>
#include <tests/live/run_service.h>
#include <tests/support/live_target.h>
#include <tests/support/process_picture.h>

namespace doppel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kCrasher = std::string(DOPPEL_TARGETS_DIR) + "/crasher";

std::vector<std::string> names(const std::vector<Event>& events) {
  std::vector<std::string> result;
  for (const Event& event : events) result.push_back(event.name());
  return result;
}

TEST(CliRun, ACrashIsDumpedAndTheServiceIsBack) {
  RunService run({"--restart", "on-crash"}, {kCrasher, "3", "tcp"});
  const auto first = run.await_ready();
  ASSERT_FALSE(first.empty()) << run.errors();
  run.command("crash segv");
  const auto second = run.await_ready();
  ASSERT_FALSE(second.empty()) << run.errors();
  ASSERT_TRUE(run.await_events("dump_written", 1)) << run.errors();
  run.close_input();
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(names(run.events()), ElementsAre("started", "crashed", "handed_over", "reaped",
                                               "restarted", "all_clear", "dump_written"));
  const Event crash = run.events("crashed").front();
  EXPECT_EQ(crash.text("signal"), "SIGSEGV");
  EXPECT_EQ(crash.text("address"), "0x1234");
  EXPECT_EQ(crash.text("dump"), "full");
  EXPECT_EQ(crash.number("pid"), run.events("started").front().number("pid"));
  EXPECT_NE(crash.number("pid"), run.events("restarted").front().number("pid"));
  EXPECT_TRUE(run.events("all_clear").front().says("\"held\":[]"));
  ASSERT_EQ(run.dumps().size(), 1u);
  const std::string path = run.dumps().front();
  EXPECT_EQ(run.events("dump_written").front().text("path"), path);
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
  Result<Snapshot> dump = open_dump(path);
  DOPPEL_ASSERT_OK(dump);
  ASSERT_TRUE(dump->image.fault.has_value());
  EXPECT_EQ(dump->image.fault->number, static_cast<unsigned>(SIGSEGV));
  EXPECT_EQ(dump->image.fault->address.value, 0x1234u);
  EXPECT_EQ(dump->image.threads.size(), 4u);
  EXPECT_EQ(dump->image.threads.front().id, crash.number("tid"));
  EXPECT_EQ(dump->image.process.engine, "handover");
  const auto report =
      std::find_if(dump->image.verbatim.begin(), dump->image.verbatim.end(),
                   [](const Verbatim& each) { return each.name == kWriteReportText; });
  ASSERT_NE(report, dump->image.verbatim.end());
  const Event timeline{{reinterpret_cast<const char*>(report->bytes.data()), report->bytes.size()}};
  long before = 0;
  for (const char* each : {"parked_us", "handed_over_us", "dead_us", "all_clear_us", "reaped_us",
                           "first_byte_us", "done_us"}) {
    EXPECT_GE(timeline.number(each), before) << each;
    before = timeline.number(each);
  }
  EXPECT_GT(before, 0);
  const std::uint64_t words = std::strtoull(first.at("words").c_str(), nullptr, 0);
  for (std::uint64_t i = 0; i < 65536; i += 97) {
    ASSERT_EQ(word_at(*dump, words + 8 * i), mix(i)) << i;
  }
}

TEST(CliRun, EndsAsTheServiceDoes) {
  const auto status_of = [](const std::vector<std::string>& command) {
    RunService run({}, command);
    run.close_input();
    return run.wait();
  };
  EXPECT_EQ(status_of({"true"}), 0);
  EXPECT_EQ(status_of({"sh", "-c", "exit 7"}), 7 << 8);
  EXPECT_EQ(status_of({"sh", "-c", "kill -TERM $$"}), SIGTERM);
  EXPECT_EQ(status_of({"sh", "-c", "kill -KILL $$"}), SIGKILL);
  EXPECT_EQ(status_of({"/no/such/program"}), 127 << 8);
  EXPECT_EQ(status_of({"no-such-program-anywhere"}), 127 << 8);
  EXPECT_EQ(status_of({"/etc/passwd"}), 126 << 8);
}

TEST(CliRun, WithoutRestartItDiesOfTheSignalAndLeavesTheDump) {
  RunService run({}, {kCrasher, "1"});
  ASSERT_FALSE(run.await_ready().empty());
  run.command("crash abort");
  const int status = run.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
  EXPECT_FALSE(WCOREDUMP(status));
  EXPECT_THAT(names(run.events()), ElementsAre("started", "crashed", "handed_over", "reaped",
                                               "all_clear", "dump_written"));
  EXPECT_EQ(run.dumps().size(), 1u);
}

TEST(CliRun, WhatTheProgramHandlesIsNoCrash) {
  RunService run({"--restart", "on-crash"}, {kCrasher, "1", "recover"});
  ASSERT_FALSE(run.await_ready().empty());
  run.command("recover");
  EXPECT_EQ(run.next_line(), "recovered");
  run.close_input();
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(names(run.events()), ElementsAre("started"));
}

TEST(CliRun, TerminationIsNoCrash) {
  for (const char* how : {"term", "kill", "exit"}) {
    RunService run({}, {kCrasher, "1"});
    ASSERT_FALSE(run.await_ready().empty());
    run.command(std::string("crash ") + how);
    run.wait();
    EXPECT_THAT(names(run.events()), ElementsAre("started")) << how;
    EXPECT_THAT(run.dumps(), ElementsAre());
  }
}

TEST(CliRun, SigtermEndsItWithoutARestart) {
  RunService run({"--restart", "always"}, {kCrasher, "2"});
  ASSERT_FALSE(run.await_ready().empty());
  ::kill(run.pid(), SIGTERM);
  EXPECT_EQ(run.wait(), SIGTERM);
  EXPECT_THAT(names(run.events()), ElementsAre("started"));
}

TEST(CliRun, OtherSignalsReachTheService) {
  RunService run({}, {"sh", "-c",
                      "trap 'echo hup' HUP; trap 'echo usr1; exit 3' USR1; echo ready; "
                      "while :; do sleep 0.02; done"});
  ASSERT_FALSE(run.await_ready().empty());
  ::kill(run.pid(), SIGHUP);
  EXPECT_EQ(run.next_line(), "hup");
  ::kill(run.pid(), SIGUSR1);
  EXPECT_EQ(run.next_line(), "usr1");
  EXPECT_EQ(run.wait(), 3 << 8);
}

TEST(CliRun, KilledItLeavesTheServiceRunning) {
  RunService run({"--restart", "on-crash"}, {kCrasher, "2", "recover"});
  ASSERT_FALSE(run.await_ready().empty());
  const auto service = static_cast<pid_t>(run.events("started").front().number("pid"));
  ::kill(run.pid(), SIGKILL);
  run.wait();
  run.command("recover");
  EXPECT_EQ(run.next_line(), "recovered");
  EXPECT_EQ(status_field(read_text("/proc/" + std::to_string(service) + "/status"), "TracerPid"),
            "0");
  run.close_input();
  EXPECT_EQ(run.next_line(), "ok");
}

TEST(CliRun, ChildrenAreWatchedToo) {
  RunService run({}, {"sh", "-c", kCrasher + " 1; echo status=$?"});
  ASSERT_FALSE(run.await_ready().empty());
  run.command("crash segv");
  EXPECT_EQ(run.next_line(), "status=139");
  EXPECT_EQ(run.wait(), 0);
  ASSERT_TRUE(run.await_events("dump_written", 1));
  EXPECT_TRUE(run.events("crashed").front().says("\"main\":false"));
  EXPECT_EQ(run.dumps().size(), 1u);
}

TEST(CliRun, WithNoFollowChildrenAreLeftAlone) {
  RunService run({"--no-follow"}, {"sh", "-c", "ulimit -c 0; " + kCrasher + " 1; echo status=$?"});
  ASSERT_FALSE(run.await_ready().empty());
  run.command("crash segv");
  EXPECT_EQ(run.next_line(), "status=139");
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(names(run.events()), ElementsAre("started"));
}

TEST(CliRun, ACrashLoopCostsLess) {
  RunService run({"--restart", "on-crash", "--max-restarts", "6/600"}, {kCrasher, "1"});
  for (int i = 0; i < 7; ++i) {
    ASSERT_FALSE(run.await_ready().empty()) << i << run.errors();
    run.command("crash segv");
  }
  const int status = run.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  std::vector<std::string> sizes;
  for (const Event& event : run.events("crashed")) sizes.push_back(event.text("dump"));
  EXPECT_THAT(sizes, ElementsAre("full", "small", "small", "small", "small", "counted", "counted"));
  EXPECT_EQ(run.events("gave_up").size(), 1u);
  EXPECT_EQ(run.dumps().size(), 5u);
  // The small ones have stacks, and not the heap.
  std::vector<Event> written = run.events("dump_written");
  ASSERT_EQ(written.size(), 5u);
  std::sort(written.begin(), written.end(),
            [](const Event& a, const Event& b) { return a.number("pid") < b.number("pid"); });
  EXPECT_LT(written[1].number("memory_bytes"), written[0].number("memory_bytes"));
  Result<Snapshot> small = open_dump(written[1].text("path"));
  DOPPEL_ASSERT_OK(small);
  EXPECT_TRUE(word_at(*small, small->image.threads.front().registers.general.rsp).has_value());
}

TEST(CliRun, KeepsAsManyDumpsAsAsked) {
  RunService run({"--restart", "on-crash", "--keep", "2"}, {kCrasher, "1"});
  for (const char* how : {"segv", "abort", "ill"}) {
    ASSERT_FALSE(run.await_ready().empty());
    run.command(std::string("crash ") + how);
  }
  ASSERT_FALSE(run.await_ready().empty());
  ASSERT_TRUE(run.await_events("dump_written", 3)) << run.errors();
  run.close_input();
  EXPECT_EQ(run.wait(), 0);
  EXPECT_EQ(run.dumps().size(), 2u);
}

TEST(CliRun, ADumpThatCannotBeWrittenCostsTheServiceNothing) {
  RunService run({"--restart", "on-crash", "--dump-dir", "/proc/no/such/place"}, {kCrasher, "1"});
  ASSERT_FALSE(run.await_ready().empty());
  run.command("crash segv");
  ASSERT_FALSE(run.await_ready().empty());
  ASSERT_TRUE(run.await_events("dump_failed", 1));
  run.close_input();
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(run.errors(), HasSubstr("no dump of crasher"));
}

TEST(CliRun, MemoryThatAnotherLivesInIsLeftAlone) {
  RunService run({}, {"sh", "-c", "ulimit -c 0; exec " + kCrasher + " 1 vm_child"});
  const auto facts = run.await_ready();
  ASSERT_TRUE(facts.contains("vm_child")) << run.errors();
  const pid_t child = static_cast<pid_t>(std::stol(facts.at("vm_child")));
  const std::string score = read_text("/proc/" + std::to_string(child) + "/oom_score_adj");
  run.command("crash segv");
  const int status = run.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
  EXPECT_THAT(run.dumps(), ElementsAre());
  ASSERT_EQ(run.events("dump_failed").size(), 1u);
  EXPECT_THAT(run.events("dump_failed").front().text("why"), HasSubstr("shares its memory"));
  // Before 5.16 the kernel's own core would end it; there is none here.
  EXPECT_EQ(::kill(child, 0), 0);
  EXPECT_EQ(read_text("/proc/" + std::to_string(child) + "/oom_score_adj"), score);
  ::kill(child, SIGKILL);
}

TEST(CliRun, ManagersVariablesAreMadeRightAtEveryStart) {
  const std::string script =
      "import os,sys,socket,signal\n"
      "assert os.environ['LISTEN_PID'] == str(os.getpid()) == os.environ['WATCHDOG_PID']\n"
      "s = socket.socket(fileno=os.dup(3)); assert s.getsockopt(socket.SOL_SOCKET, "
      "socket.SO_ACCEPTCONN)\n"
      "n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
      "a = os.environ['NOTIFY_SOCKET']; a = '\\0' + a[1:] if a[0] == '@' else a\n"
      "n.sendto(b'MAINPID=%d\\nREADY=1\\nSTATUS=up' % os.getpid(), a)\n"
      "print('ready', flush=True)\n"
      "line = sys.stdin.readline()\n"
      "if line: os.kill(os.getpid(), signal.SIGABRT)\n";
  TempDir directory;
  const UniqueFd manager(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, directory.file("notify").c_str());
  ASSERT_EQ(bind(manager.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto say = [&] {
    char text[256] = {};
    pollfd poll{manager.get(), POLLIN, 0};
    return ::poll(&poll, 1, 10'000) > 0 && recv(manager.get(), text, sizeof text - 1, 0) > 0
               ? std::string(text)
               : std::string();
  };
  const std::string path = directory.file("notify");
  RunService run({"--restart", "on-crash"}, {"python3", "-c", script}, {.in_child = [&] {
                   const int fd = socket(AF_INET, SOCK_STREAM, 0);
                   if (listen(fd, 1) != 0 || (fd != 3 && dup2(fd, 3) != 3)) _exit(95);
                   setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
                   setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
                   setenv("LISTEN_FDS", "1", 1);
                   setenv("NOTIFY_SOCKET", path.c_str(), 1);
                 }});
  EXPECT_EQ(run.next_line(), "ready") << run.errors();
  EXPECT_EQ(say(), "READY=1\nSTATUS=up");
  run.command("x");
  EXPECT_EQ(run.next_line(), "ready") << run.errors();
  EXPECT_EQ(say(), "WATCHDOG=1");
  EXPECT_EQ(say(), "READY=1\nSTATUS=up");
  run.close_input();
  EXPECT_EQ(run.wait(), 0);
}

TEST(CliRun, AsProcessOneItCollectsOrphans) {
  DOPPEL_SKIP_IF(geteuid() != 0 ? "needs a pid namespace" : "");
  RunService run({},
                 {"sh", "-c",
                  "(sleep 0.05 & exec true) ; sleep 0.3; "
                  "echo pids $(ls /proc | grep -c '^[0-9]') zombies "
                  "$(cat /proc/[0-9]*/status 2>/dev/null | grep -c 'State:.Z'); kill -SEGV $$"},
                 {.wrapper = {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}});
  const std::string line = run.next_line();
  EXPECT_THAT(line, HasSubstr("zombies 0")) << run.errors();
  // No signal can end process 1.
  EXPECT_EQ(run.wait(), (128 + SIGSEGV) << 8);
  EXPECT_EQ(run.events("dump_written").size(), 1u) << run.errors();
}

TEST(CliRun, AnOrdinaryUserMayRunIt) {
  DOPPEL_SKIP_IF(geteuid() != 0 ? "needs two users" : "");
  RunService run({"--restart", "on-crash"}, {kCrasher, "2"}, {.user = 65534});
  ASSERT_FALSE(run.await_ready().empty()) << run.errors();
  run.command("crash worker");
  ASSERT_FALSE(run.await_ready().empty()) << run.errors();
  ASSERT_TRUE(run.await_events("dump_written", 1)) << run.errors();
  run.close_input();
  EXPECT_EQ(run.wait(), 0);
  EXPECT_THAT(run.errors(), HasSubstr("set-id programs"));
}

TEST(CliRun, AnOrdinaryUserMayNotRunWhatGainsPrivilege) {
  DOPPEL_SKIP_IF(geteuid() != 0 ? "needs two users" : "");
  TempDir directory;
  ::chmod(directory.path().c_str(), 0755);
  const std::string program = directory.file("suid");
  std::filesystem::copy_file("/bin/true", program);
  ASSERT_EQ(::chmod(program.c_str(), 04755), 0);
  RunService run({}, {program}, {.user = 65534});
  EXPECT_EQ(run.wait(), 5 << 8);
  EXPECT_THAT(run.errors(), HasSubstr("gains privilege"));
}

}  // namespace
}  // namespace doppel
