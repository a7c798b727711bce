// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C and its kin at any moment: the target runs on unharmed, nothing is on the disk, nothing of
// ours is left.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <tests/live/cli_run.h>
#include <tests/support/live_target.h>
#include <tests/support/process_picture.h>
#include <tests/support/run_command.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

class cli_interrupt : public testing::TestWithParam<int> {};

TEST_P(cli_interrupt, while_the_dump_is_written) {
  LiveTarget target("quiet", {"16384"});
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  // The reader takes a few bytes and then stands still: the writer is stuck in the middle for sure.
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  RunOptions run;
  run.out = ends[1];
  RunningDoppel doppel({"capture", std::to_string(target.pid()), "-o", "-"}, run);
  ::close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  doppel.signal(GetParam());
  const Ran ran = doppel.wait();
  ::close(ends[0]);
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("doppel: interrupted (SIG"));
  EXPECT_THAT(ran.err, HasSubstr("runs on"));
  EXPECT_EQ(unharmed.harm(), "");
  EXPECT_TRUE(target.finish().ok);
}

INSTANTIATE_TEST_SUITE_P(each_signal, cli_interrupt, testing::Values(SIGINT, SIGTERM, SIGHUP));

TEST(cli_interrupt_moments, at_any_moment) {
  LiveTarget target("busy_threads", {"4"});
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  const TempDir directory;
  RunOptions run;
  run.directory = directory.path().string();
  run.wrapper = {"setsid"};  // a process group of its own, all of which a terminal's Ctrl-C reaches
  int interrupted = 0;
  // From before main() to beyond the end; the step is the test's resolution, not a wait for
  // something.
  for (int step = 0; step < 60; ++step) {
    RunningDoppel doppel({"capture", std::to_string(target.pid()), "-o", "x"}, run);
    std::this_thread::sleep_for(step * 1ms);
    if (step % 2 == 0)
      ::kill(-doppel.pid(), SIGINT);
    else
      doppel.signal(SIGTERM);
    const Ran ran = doppel.wait();
    // Killed before it could watch; interrupted; or done already.
    ASSERT_THAT(ran.exit, AnyOf(128 + SIGINT, 128 + SIGTERM, 1, 0)) << step << ran.err;
    if (ran.exit == 1) {
      ++interrupted;
      EXPECT_THAT(ran.err, HasSubstr("interrupted")) << step;
    }
    EXPECT_EQ(directory.empty(), ran.exit != 0) << step;
    std::filesystem::remove(directory.file("x"));
  }
  EXPECT_GT(interrupted, 0);
  EXPECT_EQ(unharmed.harm(), "");
  EXPECT_TRUE(target.finish().ok);
}

TEST(cli_interrupt_moments, somebody_kills_the_clone) {
  LiveTarget target("quiet", {"16384"});
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  const TempDir directory;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  RunOptions run;
  run.out = ends[1];
  RunningDoppel doppel({"capture", std::to_string(target.pid()), "-o", "-"}, run);
  ::close(ends[1]);
  std::string dump(1, 0);
  ASSERT_EQ(::read(ends[0], dump.data(), 1), 1);
  // The clone is a child of the target, though not one that wait() finds: of whichever thread made
  // it.
  const std::set<pid_t> children = take_picture(target.pid()).children;
  ASSERT_EQ(children.size(), 1u);
  const pid_t clone = *children.begin();
  ASSERT_EQ(::kill(clone, SIGKILL), 0);
  std::array<char, 65536> buffer;
  for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    dump.append(buffer.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  const Ran ran = doppel.wait();
  EXPECT_EQ(ran.exit, 3) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("cut short"));
  std::ofstream(directory.file("x.zst"), std::ios::binary) << dump;
  EXPECT_EQ(run_command({"zstd", "-tq", directory.file("x.zst")}).exit, 0);
  EXPECT_LT(dump.size(), 16u << 20);
  EXPECT_EQ(unharmed.harm(), "");
  EXPECT_TRUE(target.finish().ok);
}

TEST(cli_interrupt_moments, a_signal_that_is_ignored_stays_so) {
  LiveTarget target("quiet");
  DOPPEL_SKIP_IF(target.skip_reason());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  RunOptions run;
  run.out = ends[1];
  run.wrapper = {"nohup"};
  RunningDoppel doppel({"capture", std::to_string(target.pid()), "-o", "-"}, run);
  ::close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  doppel.signal(SIGHUP);
  std::array<char, 65536> buffer;
  while (::read(ends[0], buffer.data(), buffer.size()) > 0) {
  }
  ::close(ends[0]);
  EXPECT_EQ(doppel.wait().exit, 0);
  EXPECT_TRUE(target.finish().ok);
}

}  // namespace
}  // namespace doppel
