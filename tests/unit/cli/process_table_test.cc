// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cli/process_table.h>

namespace doppel {
namespace {

using testing::HasSubstr;

std::vector<std::int32_t> ids(const std::vector<ProcessEntry>& entries) {
  std::vector<std::int32_t> found;
  for (const ProcessEntry& each : entries) found.push_back(each.pid);
  return found;
}

ProcessEntry entry(std::int32_t pid, std::string comm, std::string executable,
                   std::vector<std::string> arguments) {
  return {.pid = pid,
          .uid = 0,
          .started_at_ns = 1'795'330'025'000'000'000,
          .comm = std::move(comm),
          .executable = std::move(executable),
          .arguments = std::move(arguments)};
}

const std::vector<ProcessEntry> kTable = {
    entry(10, "redis-server", "/usr/bin/redis-check-rdb", {"redis-server *:6379"}),
    entry(11, "python3", "/usr/bin/python3.11", {"/usr/bin/worker", "x"}),
    entry(12, "python3", "/usr/bin/python3.11", {"python3", "-m", "http.server"}),
    entry(13, "a-name-longer-t", "/opt/a-name-longer-than-comm", {"sshd: user@pts/0"}),
    entry(14, "main", "", {"worker"}),
};

TEST(process_table, comm_goes_before_executable_before_argv0) {
  EXPECT_EQ(ids(match_name(kTable, "redis-server")), (std::vector{10}));
  EXPECT_EQ(ids(match_name(kTable, "redis-check-rdb")), (std::vector{10}));
  EXPECT_EQ(ids(match_name(kTable, "python3")), (std::vector{11, 12}));
  EXPECT_EQ(ids(match_name(kTable, "python3.11")), (std::vector{11, 12}));
  EXPECT_EQ(ids(match_name(kTable, "a-name-longer-than-comm")), (std::vector{13}));
  EXPECT_EQ(ids(match_name(kTable, "/usr/bin/worker")), (std::vector{11}));
  EXPECT_EQ(ids(match_name(kTable, "worker")), (std::vector{11, 14}));
  EXPECT_TRUE(match_name(kTable, "redis").empty()) << "no part of a name is a name";
  EXPECT_TRUE(match_name({}, "x").empty());
}

TEST(process_table, near_names_are_offered) {
  EXPECT_EQ(nearest_name(kTable, "redis-sever"), "redis-server");
  EXPECT_EQ(nearest_name(kTable, "zzz"), "");
}

TEST(process_table, ids_are_held_to_their_range) {
  EXPECT_EQ(std::get<std::int32_t>(parse_pid("1")), 1);
  EXPECT_EQ(std::get<std::int32_t>(parse_pid("4194304")), 4194304);
  for (const char* bad : {"0", "-1", "+1", "4194305", "99999999999999999999", ""}) {
    const auto parsed = parse_pid(bad);
    ASSERT_TRUE(std::holds_alternative<Message>(parsed)) << bad;
    EXPECT_EQ(std::get<Message>(parsed).exit, ExitCode::usage);
    EXPECT_EQ(std::get<Message>(parsed).what, std::string("'") + bad + "' is not a process id");
  }
}

TEST(process_table, digits_are_an_id_and_all_else_a_name) {
  EXPECT_TRUE(looks_like_pid("4711"));
  EXPECT_TRUE(looks_like_pid("-5"));
  EXPECT_FALSE(looks_like_pid("7zip"));
  EXPECT_FALSE(looks_like_pid("-"));
  EXPECT_FALSE(looks_like_pid(""));
}

TEST(process_table, candidates_are_a_table) {
  const std::vector<ProcessEntry> two = {kTable[1], kTable[2]};
  EXPECT_EQ(candidates_text(two, 80),
            "     PID  USER  STARTED               COMMAND\n"
            "      11  root  2026-11-22T06:47:05Z  /usr/bin/worker x\n"
            "      12  root  2026-11-22T06:47:05Z  python3 -m http.server\n");
}

TEST(process_table, candidates_cannot_break_the_terminal) {
  const std::vector<ProcessEntry> one = {
      entry(1, "x", "", {"a\nb\x1b[2J", "\xc3\xa9\xc3\xa9\xc3\xa9"})};
  const std::string text = candidates_text(one, 200);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  for (unsigned columns = 40; columns < 70; ++columns) {
    const std::string cut = candidates_text(one, columns);
    const std::string line = cut.substr(cut.find('\n') + 1);
    EXPECT_LE(line.size() - 1, columns);
    EXPECT_NE(static_cast<unsigned char>(line[line.size() - 2]), 0xc3) << "half a character";
  }
}

}  // namespace
}  // namespace doppel
