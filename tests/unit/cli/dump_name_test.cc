// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cli/dump_name.h>

namespace doppel {
namespace {

constexpr std::int64_t kTime = 1795330025;  // 2026-11-22T06:47:05Z

TEST(dump_name, is_made_of_comm_pid_and_time) {
  EXPECT_EQ(default_dump_name("redis-server", 4711, kTime, true),
            "redis-server.4711.20261122T064705Z.core.zst");
  EXPECT_EQ(default_dump_name("redis-server", 4711, kTime, false),
            "redis-server.4711.20261122T064705Z.core");
  EXPECT_EQ(default_dump_name("a", 1, kTime, true, 2), "a.1.20261122T064705Z-2.core.zst");
  EXPECT_EQ(default_dump_name("a", 1, kTime, false, 0, "dmp"), "a.1.20261122T064705Z.dmp");
}

TEST(dump_name, takes_nothing_dangerous_from_the_process) {
  EXPECT_EQ(reduce_comm("nginx: worker"), "nginx__worker");
  EXPECT_EQ(reduce_comm("../../etc/passwd"), "_.._etc_passwd");
  EXPECT_EQ(reduce_comm("-rf"), "rf");
  EXPECT_EQ(reduce_comm(".hidden"), "hidden");
  EXPECT_EQ(reduce_comm("$(reboot)\n"), "__reboot__");
  EXPECT_EQ(reduce_comm("\xc3\xa9t\xc3\xa9"), "__t__");
  EXPECT_EQ(reduce_comm(""), "process");
  EXPECT_EQ(reduce_comm("..."), "process");
}

TEST(dump_name, output_option_names_a_file_or_a_directory) {
  EXPECT_EQ(dump_path("", false, "name"), "name");
  EXPECT_EQ(dump_path("file", false, "name"), "file");
  EXPECT_EQ(dump_path("dir", true, "name"), "dir/name");
  EXPECT_EQ(dump_path("dir/", true, "name"), "dir/name");
  EXPECT_EQ(dump_path("missing/", false, "name"), "missing/name");
  EXPECT_EQ(dump_path("/", true, "name"), "/name");
}

}  // namespace
}  // namespace doppel
