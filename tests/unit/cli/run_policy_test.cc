// SPDX-License-Identifier: Apache-2.0
//
// The decisions of `doppel run` that need no process: restarts, how much to dump, what to keep,
// what the service is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include <cli/run/crash_governor.h>
#include <cli/run/notify_relay.h>
#include <cli/run/restart_policy.h>
#include <cli/run/retention.h>
#include <cli/run/service_environment.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr int kSegv = SIGSEGV;
constexpr int kExit1 = 1 << 8;
using Decision = RestartPolicy::Decision;

TEST(RestartPolicy, EachModeHasItsReasons) {
  const auto restarts = [](RestartMode mode, int status) {
    return RestartPolicy(mode, {}).decide(status, Clock::now(), 1h).restart;
  };
  EXPECT_FALSE(restarts(RestartMode::never, kSegv));
  EXPECT_TRUE(restarts(RestartMode::on_crash, kSegv));
  EXPECT_TRUE(restarts(RestartMode::on_crash, SIGKILL));
  for (const int status : {0, kExit1, SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
    EXPECT_FALSE(restarts(RestartMode::on_crash, status)) << status;
    EXPECT_TRUE(restarts(RestartMode::always, status)) << status;
  }
}

TEST(RestartPolicy, EarlyDeathsDoubleThePause) {
  RestartPolicy policy(RestartMode::on_crash, {.count = 1000, .within = 1h});
  const Clock::time_point now;
  std::vector<std::chrono::milliseconds> pauses;
  for (int i = 0; i < 12; ++i) pauses.push_back(policy.decide(kSegv, now, 1s).delay);
  EXPECT_THAT(pauses, ElementsAre(0ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms,
                                  25600ms, 30000ms, 30000ms));
  EXPECT_EQ(policy.decide(kSegv, now, 10s), (Decision{.restart = true}));
  EXPECT_EQ(policy.decide(kSegv, now, 1s).delay, 100ms);
}

TEST(RestartPolicy, GivesUpWhenThereWereTooMany) {
  RestartPolicy policy(RestartMode::always, {.count = 2, .within = 60s});
  const Clock::time_point start;
  EXPECT_TRUE(policy.decide(0, start, 1h).restart);
  EXPECT_TRUE(policy.decide(0, start + 30s, 1h).restart);
  EXPECT_EQ(policy.decide(0, start + 59s, 1h), (Decision{.gave_up = true}));
  // The first is out of the stretch by then.
  EXPECT_TRUE(policy.decide(0, start + 60s, 1h).restart);
  EXPECT_TRUE(RestartPolicy(RestartMode::always, {.count = 0}).decide(0, start, 1h).gave_up);
}

std::vector<Region> program() {
  Region code;
  code.range = {{0x1000}, 0x1000};
  code.access = {.read = true, .execute = true};
  code.path = "/bin/app";
  code.file_offset = 0x400;
  Region data = code;
  data.range = {{0x2000}, 0x1000};
  data.access = {.read = true, .write = true};
  return {code, data};
}

TEST(CrashGovernor, ASignatureIsAPlaceAndNotAnAddress) {
  const auto regions = program();
  auto moved = regions;
  for (Region& region : moved) region.range.begin.value += 0x70000;
  const std::string one = crash_signature("/bin/app", 11, 1, 0x1010, {7, 0x1020, 0x2020}, regions);
  EXPECT_EQ(one, "/bin/app|11|1|/bin/app+410|/bin/app+420");
  EXPECT_EQ(crash_signature("/bin/app", 11, 1, 0x71010, {9, 9, 0x71020}, moved), one);
  EXPECT_NE(crash_signature("/bin/app", 6, 1, 0x1010, {0x1020}, regions), one);
  EXPECT_NE(crash_signature("/bin/app", 11, 1, 0x1011, {0x1020}, regions), one);
  EXPECT_EQ(crash_signature("/bin/app", 11, 1, 0x10, {}, {}), "/bin/app|11|1|nowhere");
}

TEST(CrashGovernor, FullThenSmallThenCounted) {
  CrashGovernor governor;
  const std::chrono::steady_clock::time_point now;
  std::vector<DumpSize> sizes;
  for (int i = 0; i < 7; ++i) sizes.push_back(governor.decide("a", now));
  EXPECT_THAT(sizes, ElementsAre(DumpSize::full, DumpSize::small, DumpSize::small, DumpSize::small,
                                 DumpSize::small, DumpSize::counted, DumpSize::counted));
  EXPECT_EQ(governor.count("a"), 7u);
  EXPECT_EQ(governor.decide("b", now), DumpSize::full);
  EXPECT_EQ(governor.decide("a", now + 1h), DumpSize::full);
}

TEST(CrashGovernor, ForgetsTheOldestKind) {
  CrashGovernor governor;
  const std::chrono::steady_clock::time_point now;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(governor.decide(std::to_string(i), now + std::chrono::seconds(i)), DumpSize::full);
  }
  EXPECT_EQ(governor.decide("299", now + 300s), DumpSize::small);
  EXPECT_EQ(governor.decide("0", now + 300s), DumpSize::full);
}

TEST(Retention, TheOldestBeyondTheNumberGo) {
  const std::vector<std::string> names = {"app.7.20260102T000000Z.core.zst",
                                          "app.5.20260101T000000Z.core.zst",
                                          "app.6.20260101T000000Z-2.core",
                                          "app.6.20260101T000000Z-10.core",
                                          "app.9.20260103T000000Z.dmp",
                                          "other.1.20200101T000000Z.core.zst",
                                          "app.5.20260101T000000Z.core.zst.x",
                                          "app.x.20200101T000000Z.core",
                                          "app.core",
                                          "app.1.2020010100000000Z.core"};
  EXPECT_THAT(surplus_dumps(names, "app", 2),
              ElementsAre("app.5.20260101T000000Z.core.zst", "app.6.20260101T000000Z-2.core",
                          "app.6.20260101T000000Z-10.core"));
  EXPECT_THAT(surplus_dumps(names, "app", 5), ElementsAre());
  EXPECT_THAT(surplus_dumps(names, "ap", 0), ElementsAre());
}

TEST(Retention, RemovesFilesOnly) {
  TempDir directory;
  for (const char* name : {"app.1.20260101T000000Z.core", "app.2.20260102T000000Z.core"}) {
    std::ofstream(directory.file(name)) << "x";
  }
  std::filesystem::create_directory(directory.file("app.1.20250101T000000Z.core"));
  EXPECT_EQ(remove_surplus(Sys::real(), directory.path(), "app", 1).value(), 1u);
  const Result<std::size_t> gone = remove_surplus(Sys::real(), directory.path() / "none", "app", 1);
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().os, ENOENT);
  EXPECT_FALSE(std::filesystem::exists(directory.file("app.1.20260101T000000Z.core")));
  EXPECT_TRUE(std::filesystem::exists(directory.file("app.2.20260102T000000Z.core")));
}

TEST(ServiceEnvironment, NamesTheServiceWhereItNamedUs) {
  EXPECT_THAT(service_environment({"A=1", "LISTEN_PID=10", "LISTEN_FDS=2", "WATCHDOG_PID=10",
                                   "NOTIFY_SOCKET=/run/n", "LISTEN_PIDFDID=5", "ODD"},
                                  10, 11, "@00001"),
              ElementsAre("A=1", "LISTEN_PID=11", "LISTEN_FDS=2", "WATCHDOG_PID=11",
                          "NOTIFY_SOCKET=@00001", "ODD"));
  EXPECT_THAT(service_environment({"LISTEN_PID=9", "NOTIFY_SOCKET=/run/n"}, 10, 11, ""),
              ElementsAre("LISTEN_PID=9", "NOTIFY_SOCKET=/run/n"));
}

TEST(ServiceEnvironment, FindsTheProgramAsAShellDoes) {
  const auto only = [](const char* path) {
    return [path](const std::string& candidate) { return candidate == path; };
  };
  EXPECT_EQ(find_program("a/b", "/x", only("")), "a/b");
  EXPECT_EQ(find_program("ls", "/x:/bin:/y", only("/bin/ls")), "/bin/ls");
  EXPECT_EQ(find_program("ls", "/x::/y", only("./ls")), "./ls");
  EXPECT_EQ(find_program("ls", "/x:/y", only("/bin/ls")), "");
}

TEST(NotifyRelay, KeepsBackWhoIsMain) {
  EXPECT_EQ(relayed_message("READY=1\nMAINPID=5\nSTATUS=x"), "READY=1\nSTATUS=x");
  EXPECT_EQ(relayed_message("MAINPID=5"), "");
  EXPECT_EQ(relayed_message("WATCHDOG=1\n"), "WATCHDOG=1");
  EXPECT_EQ(relayed_message(""), "");
}

}  // namespace
}  // namespace doppel
