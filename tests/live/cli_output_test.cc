// SPDX-License-Identifier: Apache-2.0
//
// Where the dump goes: what stands in its way is found before the target is touched, and what goes
// wrong later leaves neither a file nor harm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

#include <nlohmann/json.hpp>

#include <tests/live/cli_run.h>
#include <tests/support/live_target.h>
#include <tests/support/run_command.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

std::string why_not_root() {
  return ::geteuid() == 0 ? "" : "needs root";
}

class cli_output : public testing::Test {
 protected:
  void SetUp() override { DOPPEL_SKIP_IF(target_.skip_reason()); }

  /// Whatever happened, the target was not harmed.
  void TearDown() override {
    if (!target_.skip_reason().empty()) return;
    EXPECT_EQ(unharmed_.harm(), "");
    const Ending ending = target_.finish();
    EXPECT_TRUE(ending.ok) << ending.failure;
  }

  Ran capture(std::vector<std::string> options, RunOptions run = {}) const {
    options.insert(options.begin(), {"capture", pid()});
    if (run.directory.empty()) run.directory = directory_.path().string();
    return run_doppel(options, run);
  }

  std::string pid() const { return std::to_string(target_.pid()); }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
      names.push_back(entry.path().filename().string());
    return names;
  }

  // 8 MiB that cannot be compressed.
  LiveTarget target_{"quiet", {"8192"}};
  Unharmed unharmed_{target_};
  TempDir directory_;
};

TEST_F(cli_output, a_name_of_our_own_in_the_current_directory) {
  const Ran ran = capture({});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  ASSERT_EQ(files().size(), 1u);
  const std::string name = files()[0];
  EXPECT_THAT(name, MatchesRegex("quiet\\.[0-9]+\\.[0-9]{8}T[0-9]{6}Z\\.core\\.zst"));
  EXPECT_EQ(ran.out, name + "\n");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("captured quiet (" + pid() + "): paused "),
                             HasSubstr("predicted"), HasSubstr("zstd -d " + name)));
  EXPECT_EQ(ran.err.find('\r'), std::string::npos) << "progress on what is no terminal";
  EXPECT_EQ(ran.err.find('\x1b'), std::string::npos) << "colour on what is no terminal";
  struct stat facts;
  ASSERT_EQ(::stat(directory_.file(name.c_str()).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
  EXPECT_EQ(run_command({"zstd", "-tq", directory_.file(name.c_str())}).exit, 0);
}

TEST_F(cli_output, json_has_every_key_of_the_contract) {
  const Ran ran = capture({"--json", "-o", "x.core.zst"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  const json report = json::parse(ran.out);
  EXPECT_EQ(report.at("schema"), 1);
  EXPECT_EQ(report.at("dump"), "x.core.zst");
  EXPECT_EQ(report.at("pid"), target_.pid());
  EXPECT_EQ(report.at("engine"), "clone");
  EXPECT_EQ(report.at("format"), "elf");
  EXPECT_GT(report.at("pause_us"), 0);
  EXPECT_LE(report.at("running_pause_us"), report.at("pause_us"));
  EXPECT_GT(report.at("predicted_pause_us"), 0);
  EXPECT_EQ(report.at("threads"), 3);
  EXPECT_GT(report.at("regions"), 10);
  EXPECT_GT(report.at("memory_bytes"), 8 << 20);
  EXPECT_EQ(report.at("dump_bytes"), std::filesystem::file_size(directory_.file("x.core.zst")));
  EXPECT_TRUE(report.at("write_ms").is_number());
  EXPECT_TRUE(report.at("omissions").is_array());
  EXPECT_EQ(report.at("cut_short"), nullptr);
}

TEST_F(cli_output, quiet_says_only_where) {
  const Ran ran = capture({"--quiet"});
  ASSERT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.out, files()[0] + "\n");
}

TEST_F(cli_output, two_dumps_within_a_second_do_not_collide) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(capture({"--quiet"}).exit, 0);
  EXPECT_EQ(files().size(), 3u);
}

TEST_F(cli_output, a_directory_takes_the_name_of_our_own) {
  std::filesystem::create_directory(directory_.file("d"));
  for (const char* given : {"d", "d/"}) {
    const Ran ran = capture({"-o", given, "--quiet"});
    EXPECT_EQ(ran.exit, 0) << ran.err;
    EXPECT_THAT(ran.out, testing::StartsWith("d/quiet."));
  }
}

TEST_F(cli_output, not_compressed_is_a_plain_core) {
  const Ran ran = capture({"--no-compress", "--quiet"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::EndsWith(".core\n"));
  std::ifstream file(directory_.file(files()[0].c_str()), std::ios::binary);
  std::string magic(4, 0);
  file.read(magic.data(), 4);
  EXPECT_EQ(magic, "\177ELF");
}

TEST_F(cli_output, the_directory_is_missing) {
  const Ran ran = capture({"-o", "missing/x.core"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err,
            "doppel: directory missing does not exist; create it, or choose another with -o\n");
  EXPECT_TRUE(directory_.empty());
}

TEST_F(cli_output, the_directory_is_a_file) {
  std::ofstream(directory_.file("f")) << "x";
  const Ran ran = capture({"-o", "f/x.core"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("f is not a directory"));
}

TEST_F(cli_output, the_file_exists) {
  std::ofstream(directory_.file("x.core")) << "precious";
  const Ran ran = capture({"-o", "x.core"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err,
            "doppel: x.core exists (dumps are never overwritten); choose another name with -o\n");
  EXPECT_EQ(std::filesystem::file_size(directory_.file("x.core")), 8u);
}

TEST_F(cli_output, a_link_that_leads_nowhere_exists_too) {
  std::filesystem::create_symlink("/nowhere/at/all", directory_.file("x.core"));
  const Ran ran = capture({"-o", "x.core"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("x.core exists"));
}

TEST_F(cli_output, the_directory_is_not_writable) {
  DOPPEL_SKIP_IF(why_not_root());
  std::filesystem::create_directory(directory_.file("d"));
  ::chmod(directory_.file("d").c_str(), 0555);
  ::chmod(directory_.path().c_str(), 0755);
  // Of another user's process nothing more would be said than that; so of one of its own.
  LiveTargetOptions options;
  options.user = 65534;
  LiveTarget own("quiet", {}, options);
  RunOptions run;
  run.user = 65534;
  run.directory = directory_.path().string();
  const Ran ran = run_doppel({"capture", std::to_string(own.pid()), "-o", "d/x.core"}, run);
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err,
            "doppel: cannot write in directory d (permission denied); choose another with -o\n");
  EXPECT_TRUE(own.finish().ok);
}

/// Runs the command where `mount` has been done in a mount namespace of its own, and lists what is
/// left in the directory d.
Ran in_own_mounts(const TempDir& directory, const std::string& mount, const std::string& capture) {
  std::filesystem::create_directory(directory.file("d"));
  RunOptions run;
  run.directory = directory.path().string();
  run.wrapper = {"unshare", "--mount", "sh", "-c",
                 mount + " && \"$0\" " + capture + "; code=$?; ls -A d; exit $code"};
  return run_doppel({}, run);
}

TEST_F(cli_output, the_file_system_is_read_only) {
  DOPPEL_SKIP_IF(why_not_root());
  const Ran ran = in_own_mounts(directory_, "mount -t tmpfs -o ro tmpfs d",
                                "capture " + pid() + " -o d/x.core");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err,
            "doppel: cannot write in directory d (read-only file system); choose another "
            "with -o\n");
}

TEST_F(cli_output, the_file_system_is_full) {
  DOPPEL_SKIP_IF(why_not_root());
  const Ran ran = in_own_mounts(directory_, "mount -t tmpfs -o size=64k tmpfs d",
                                "capture " + pid() + " -o d/x.core");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("no room for the dump in directory d (64.0 KiB free"),
                             HasSubstr("the process was not touched")));
  EXPECT_EQ(ran.out, "") << "something was left";
}

TEST_F(cli_output, the_file_system_fills_up_meanwhile) {
  DOPPEL_SKIP_IF(why_not_root());
  // Room enough for memory that could be compressed; this cannot.
  const Ran ran = in_own_mounts(directory_, "mount -t tmpfs -o size=4m tmpfs d",
                                "capture " + pid() + " -o d/x.core");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("the dump may not fit: 4.00 MiB free"),
                             HasSubstr("no room for the dump in directory d (no space left on "
                                       "device); nothing is left there")));
  EXPECT_EQ(ran.out, "") << "something was left";
}

TEST_F(cli_output, stdout_is_a_pipe) {
  const Ran ran = capture({"-o", "-"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  EXPECT_TRUE(directory_.empty());
  EXPECT_THAT(ran.err, HasSubstr("captured quiet"));
  std::ofstream(directory_.file("x.zst"), std::ios::binary) << ran.out;
  EXPECT_EQ(run_command({"zstd", "-tq", directory_.file("x.zst")}).exit, 0);
}

TEST_F(cli_output, stdout_is_a_closed_pipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  RunOptions run;
  run.out = ends[1];
  const Ran ran = capture({"-o", "-"}, run);
  ::close(ends[1]);
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("doppel: the reader of stdout went away"));
}

TEST_F(cli_output, stdout_is_a_terminal) {
  int terminal = -1;
  int ours = -1;
  ASSERT_EQ(::openpty(&ours, &terminal, nullptr, nullptr, nullptr), 0);
  RunOptions run;
  run.out = terminal;
  const Ran ran = capture({"-o", "-"}, run);
  ::close(terminal);
  ::close(ours);
  EXPECT_EQ(ran.exit, 2);
  EXPECT_EQ(ran.err,
            "doppel: -o - would write a dump to the terminal; send stdout to a file or a "
            "pipe\n");
}

TEST_F(cli_output, progress_and_colour_on_a_terminal) {
  for (const bool plain : {false, true}) {
    int terminal = -1;
    int ours = -1;
    winsize size{};
    size.ws_col = 100;
    ASSERT_EQ(::openpty(&ours, &terminal, nullptr, nullptr, &size), 0);
    RunOptions run;
    run.err = terminal;
    run.directory = directory_.path().string();
    run.environment = {{"TERM", "xterm"}, {"NO_COLOR", plain ? "1" : ""}};
    // Slow enough for a few looks: one thread at a high level.
    RunningDoppel doppel({"capture", pid(), "--level", "19", "--threads", "1"}, run);
    ::close(terminal);
    std::string shown;
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; (got = ::read(ours, buffer.data(), buffer.size())) > 0;)
      shown.append(buffer.data(), static_cast<std::size_t>(got));
    ::close(ours);
    EXPECT_EQ(doppel.wait().exit, 0);
    EXPECT_THAT(shown, AllOf(HasSubstr("\rwriting "), HasSubstr(" % "), HasSubstr("\r\x1b[K")));
    EXPECT_EQ(shown.find("\x1b[32m") == std::string::npos, plain) << shown;
  }
}

TEST_F(cli_output, a_timeout_closes_the_dump_early) {
  const Ran ran =
      capture({"--json", "-o", "x.zst", "--timeout", "0.05", "--level", "22", "--threads", "1"});
  ASSERT_EQ(ran.exit, 3) << ran.err << ran.out;
  const json report = json::parse(ran.out);
  EXPECT_THAT(report.at("cut_short"), HasSubstr("--timeout of 50.0 ms reached"));
  EXPECT_EQ(run_command({"zstd", "-tq", directory_.file("x.zst")}).exit, 0);
}

TEST_F(cli_output, the_filter_leaves_out_what_it_says) {
  const Ran all = capture({"--json", "-o", "all"});
  const Ran none = capture({"--json", "-o", "none", "--filter", "0"});
  ASSERT_EQ(all.exit, 0) << all.err;
  ASSERT_EQ(none.exit, 0) << "what was asked for is no loss: " << none.err << none.out;
  EXPECT_LT(json::parse(none.out).at("memory_bytes"), json::parse(all.out).at("memory_bytes"));
  const json omissions = json::parse(none.out).at("omissions");
  EXPECT_TRUE(std::ranges::any_of(omissions, [](const json& each) {
    return each.at("asked") == true && each.at("size") >= 8 << 20;
  }));
}

}  // namespace
}  // namespace doppel
