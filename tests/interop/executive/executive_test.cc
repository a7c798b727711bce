// SPDX-License-Identifier: Apache-2.0
//
// `doppel executive run` as people call it: crash, clone, restart, dump; and the dump in lldb,
// obj2yaml and Breakpad's readers, against what the executive says and what stands in the sources.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <dumpwriter/read/open_dump.h>
#include <tests/support/run_command.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kGuests = DOPPEL_GUESTS_DIR "/";
const std::string kJudges = DOPPEL_JUDGES_DIR "/";

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One line of lldb's 'bt all'.
struct Frame {
  std::string function, file;
  unsigned line = 0;
};

class ExecutiveCommand : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return directory_.file(name.c_str()); }

  CommandResult run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {DOPPEL_PROGRAM, "executive", "run"});
    return run_command(arguments);
  }

  /// From the root directory: nothing is found but what lies beside the dump.
  static std::string lldb(const std::string& dump, const std::vector<std::string>& commands) {
    std::string line = "cd / && exec lldb-19 -x -b -c '" + dump + "'";
    for (const std::string& command : commands) line += " -o '" + command + "'";
    return run_command({"sh", "-c", line}).output;
  }

  /// Every frame of 'bt all'; one without function and line is a failure.
  static std::vector<Frame> frames(const std::string& dump) {
    std::vector<Frame> found;
    std::istringstream said(lldb(dump, {"bt all"}));
    const std::regex whole(R"(frame #\d+: 0x[0-9a-f]+ \S+`(\w+).* at (\w+\.c):(\d+))");
    for (std::string line; std::getline(said, line);) {
      if (line.find("frame #") == line.npos) continue;
      std::smatch parts;
      EXPECT_TRUE(std::regex_search(line, parts, whole)) << line;
      if (!parts.empty())
        found.push_back({parts[1], parts[2], static_cast<unsigned>(std::stoul(parts[3]))});
    }
    return found;
  }

  /// The line of a source that holds `text`.
  static unsigned line_of(const std::string& source, const std::string& text) {
    std::ifstream lines(DOPPEL_SOURCE_DIR "/samples/guests/" + source);
    unsigned number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (line.find(text) != line.npos) return number;
    }
    ADD_FAILURE() << source << " has no line with " << text;
    return 0;
  }

  TempDir directory_;
};

std::string name_of(const Frame& frame) {
  return frame.function;
}

std::vector<std::string> names_of(const std::vector<Frame>& frames) {
  std::vector<std::string> names;
  std::ranges::transform(frames, std::back_inserter(names), name_of);
  return names;
}

TEST_F(ExecutiveCommand, RestartOpensItsFilesWhileTheCloneIsThere) {
  const CommandResult told =
      run({kGuests + "holder.exe", "--restart", "--dump", file("out.dmp"), "--json"});
  EXPECT_EQ(told.exit, 0) << told.output;
  const std::string opens = R"("opens":[{"call":"NtCreateFile","status":"0x00000000"},)"
                            R"({"call":"NtLockFile","status":"0x00000000"},)"
                            R"({"call":"NtCreateMutant","status":"0x00000000"}])";
  const std::size_t first = told.output.find(opens);
  ASSERT_NE(first, told.output.npos) << told.output;
  EXPECT_NE(told.output.find(opens, first + 1), told.output.npos) << told.output;
  EXPECT_THAT(told.output, HasSubstr(R"("inherited_handles":false)"));
  EXPECT_THAT(told.output, HasSubstr(R"("exit_status":"0xc0000005")"));
  EXPECT_THAT(told.output, Not(HasSubstr("0xc0000043")));
  EXPECT_EQ(bytes_of(file("holder.exe")), bytes_of(kGuests + "holder.exe"));
  EXPECT_EQ(bytes_of(file("holder.pdb")), bytes_of(kGuests + "holder.pdb"));
}

TEST_F(ExecutiveCommand, InheritedHandlesRefuseTheRestartUntilTheCloneGoes) {
  const CommandResult told =
      run({kGuests + "holder.exe", "--restart", "--inherit-handles", "--dump", file("out.dmp")});
  EXPECT_EQ(told.exit, 0) << told.output;
  const std::size_t refused = told.output.find(
      "NtCreateFile    C0000043 SHARING_VIOLATION\nholder.exe 28 ended with "
      "C0000043 SHARING_VIOLATION");
  const std::size_t gone = told.output.find("the clone is gone");
  const std::size_t granted = told.output.rfind("NtCreateFile    00000000 SUCCESS");
  ASSERT_NE(refused, told.output.npos) << told.output;
  ASSERT_NE(gone, told.output.npos) << told.output;
  ASSERT_NE(granted, told.output.npos) << told.output;
  EXPECT_LT(refused, gone);
  EXPECT_LT(gone, granted);
}

TEST_F(ExecutiveCommand, InheritedHandlesMatterWithoutADumpToo) {
  const CommandResult told = run({kGuests + "holder.exe", "--restart", "--inherit-handles"});
  EXPECT_EQ(told.exit, 1) << told.output;
  EXPECT_THAT(told.output, HasSubstr("C0000043 SHARING_VIOLATION"));
}

TEST_F(ExecutiveCommand, LldbShowsEveryFrameWithFunctionAndLine) {
  const std::map<std::string, std::string> kinds = {
      {"av", "case kAv:"}, {"div", "case kDiv:"}, {"int3", "case kInt3:"}, {"ud2", "case kUd2:"}};
  for (const std::string level : {"", "-O2"}) {
    for (const auto& [kind, source] : kinds) {
      const std::string dump = file(kind + level + ".dmp");
      const CommandResult told = run({kGuests + "crash_" + kind + level + ".exe", "--dump", dump});
      ASSERT_EQ(told.exit, 0) << told.output;
      const std::vector<Frame> all = frames(dump);
      ASSERT_THAT(names_of(all), ElementsAre("crash", "work", "entry")) << kind << level;
      EXPECT_EQ(all[0].line, line_of("crash.c", source)) << kind << level;
      EXPECT_EQ(all[1].line, line_of("crash.c", "  crash(kind);"));
    }
    const std::string holder = file("holder" + level + ".dmp");
    ASSERT_EQ(run({kGuests + "holder" + level + ".exe", "--dump", holder}).exit, 0);
    const std::vector<Frame> all = frames(holder);
    ASSERT_THAT(names_of(all), ElementsAre("use", "entry"));
    EXPECT_EQ(all[0].line, line_of("holder.c", "static void use(handle file)"));

    const std::string guard = file("guard" + level + ".dmp");
    ASSERT_EQ(run({kGuests + "crash_guard" + level + ".exe", "--dump", guard}).exit, 0);
    EXPECT_THAT(names_of(frames(guard)), ElementsAre("touch_guard", "crash", "work", "entry"));
  }
}

TEST_F(ExecutiveCommand, T52LldbUnwindsAStackThatOverflowed) {
  for (const std::string level : {"", "-O2"}) {
    const std::string dump = file("stack" + level + ".dmp");
    const CommandResult told = run({kGuests + "crash_stack" + level + ".exe", "--dump", dump});
    ASSERT_EQ(told.exit, 0) << told.output;
    EXPECT_THAT(told.output, HasSubstr("C00000FD STACK_OVERFLOW"));
    const std::vector<Frame> all = frames(dump);
    ASSERT_GT(all.size(), 900u);
    for (std::size_t i = 0; i + 3 < all.size(); ++i) EXPECT_EQ(all[i].function, "dig");
    EXPECT_THAT(names_of({all.end() - 3, all.end()}), ElementsAre("crash", "work", "entry"));
  }
}

TEST_F(ExecutiveCommand, T48ReadersSayWhatTheExecutiveSays) {
  const std::string dump = file("av.dmp");
  const CommandResult told = run({kGuests + "crash_av.exe", "--dump", dump, "--json"});
  ASSERT_EQ(told.exit, 0) << told.output;
  std::smatch crash;
  ASSERT_TRUE(
      std::regex_search(told.output, crash, std::regex(R"re("address":"0x([0-9a-f]+)")re")));
  const std::string rip = std::string(16 - crash[1].length(), '0') + crash[1].str();

  const Result<Snapshot> read = open_dump(dump);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->image.threads.size(), 1u);
  ASSERT_EQ(read->image.modules.size(), 1u);
  const std::uint64_t rsp = read->image.threads[0].registers.general.rsp;
  std::array<std::byte, 16> stack{};
  ASSERT_TRUE(read->memory->read(Address{rsp}, stack).has_value());
  std::string bytes;
  for (const std::byte each : stack) {
    char two[4];
    std::snprintf(two, sizeof two, " %02x", std::to_integer<unsigned>(each));
    bytes += two;
  }
  char at[32];
  std::snprintf(at, sizeof at, "0x%llx", static_cast<unsigned long long>(rsp));

  const std::string said =
      lldb(dump, {"process status", "register read rip rsp", "image list",
                  "memory region 0x140001000", std::string("memory read -c 16 ") + at});
  EXPECT_THAT(said, HasSubstr("Exception 0xc0000005 encountered at address 0x" + crash[1].str()));
  EXPECT_THAT(said, HasSubstr("rip = 0x" + rip));
  EXPECT_THAT(said, HasSubstr("crash_av.exe"));
  EXPECT_THAT(said, HasSubstr("[0x0000000140001000-0x0000000140002000) r-x"));
  EXPECT_THAT(said, HasSubstr(":" + bytes));

  const CommandResult yaml = run_command({"obj2yaml-19", dump});
  EXPECT_EQ(yaml.exit, 0) << yaml.output;
  EXPECT_THAT(yaml.output, HasSubstr("Exception Code:  0xC0000005"));
}

// A UNICODE_STRING counts its bytes in 16 bits, the terminator included.
TEST_F(ExecutiveCommand, ACommandLineThatDoesNotFitIsRefused) {
  const CommandResult fits = run({kGuests + "argv.exe", "--json", "--", std::string(32000, 'a')});
  EXPECT_EQ(fits.exit, 0) << fits.output;
  const CommandResult refused =
      run({kGuests + "argv.exe", "--json", "--", std::string(32767, 'a')});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.output, HasSubstr("C0000106"));
}

TEST_F(ExecutiveCommand, HintsNameItsOwnOptions) {
  const CommandResult nowhere = run({kGuests + "holder.exe", "--dump", "/nowhere/x.dmp"});
  EXPECT_EQ(nowhere.exit, 1);
  EXPECT_THAT(nowhere.output, HasSubstr("choose another with --dump"));
  const CommandResult idle = run({kGuests + "holder.exe", "--inherit-handles"});
  EXPECT_EQ(idle.exit, 2);
  EXPECT_THAT(idle.output, HasSubstr("give --dump or --restart"));
}

TEST_F(ExecutiveCommand, T48BreakpadsReadersAcceptIt) {
  if (::access((kJudges + "minidump_stackwalk").c_str(), X_OK) != 0) {
    const char* const required = std::getenv("DOPPEL_REQUIRE_LIVE");
    ASSERT_FALSE(required != nullptr && std::string(required) == "1") << "no judges";
    GTEST_SKIP() << "Breakpad's readers are not installed (tests/interop/minidump/install-judges)";
  }
  const std::string dump = file("av.dmp");
  ASSERT_EQ(run({kGuests + "crash_av.exe", "--dump", dump}).exit, 0);
  const CommandResult walked = run_command({kJudges + "minidump_stackwalk", dump});
  EXPECT_EQ(walked.exit, 0) << walked.output;
  EXPECT_THAT(walked.output, HasSubstr("Operating system: Windows NT"));
  EXPECT_THAT(walked.output, HasSubstr("Crash reason:  EXCEPTION_ACCESS_VIOLATION_WRITE"));
  EXPECT_THAT(walked.output, HasSubstr("Crash address: 0x0"));
  EXPECT_THAT(walked.output, HasSubstr("Thread 0 (crashed)\n 0  crash_av.exe + 0x"));
  EXPECT_THAT(walked.output, HasSubstr("0x140000000 - 0x"));
  const CommandResult dumped = run_command({kJudges + "minidump_dump", dump});
  EXPECT_EQ(dumped.exit, 0);
  EXPECT_THAT(dumped.output, HasSubstr("thread_count = 1\n"));
  EXPECT_THAT(dumped.output, HasSubstr("module_count = 1\n"));
}

TEST_F(ExecutiveCommand, T45SameSeedSameTraceAndSameDump) {
  for (const std::string seed : {"1", "2", "3"}) {
    std::vector<std::string> told;
    for (const std::string& name : {"a" + seed + ".dmp", "b" + seed + ".dmp"}) {
      const CommandResult once = run({kGuests + "forker.exe", "--seed", seed, "--json"});
      const CommandResult crashed =
          run({kGuests + "holder.exe", "--seed", seed, "--restart", "--dump", file(name)});
      ASSERT_EQ(once.exit, 0) << once.output;
      ASSERT_EQ(crashed.exit, 0) << crashed.output;
      told.push_back(once.output +
                     crashed.output.substr(crashed.output.rfind("steps, trace")).substr(0, 30));
    }
    EXPECT_EQ(told[0], told[1]);
    EXPECT_EQ(bytes_of(file("a" + seed + ".dmp")), bytes_of(file("b" + seed + ".dmp")));
  }
}

TEST_F(ExecutiveCommand, TraceNamesCallsAndStatuses) {
  const CommandResult told = run({kGuests + "argv.exe", "x", "--trace"});
  EXPECT_EQ(told.exit, 0) << told.output;
  EXPECT_THAT(told.output, HasSubstr("NtCreateUserProcess          00000000 SUCCESS"));
  EXPECT_THAT(told.output, HasSubstr("NtWriteFile                  00000000 SUCCESS"));
  const CommandResult classic = run({kGuests + "argv.exe", "--trace", "--profile", "nt52"});
  EXPECT_EQ(classic.exit, 0) << classic.output;
  EXPECT_THAT(classic.output, Not(HasSubstr("NtCreateUserProcess")));
  EXPECT_THAT(classic.output, HasSubstr("NtWriteVirtualMemory         00000000 SUCCESS"));
  EXPECT_THAT(classic.output, HasSubstr("NtCreateThread               00000000 SUCCESS"));
}

TEST_F(ExecutiveCommand, FaultsFailWhatTheyName) {
  const CommandResult told = run({kGuests + "holder.exe", "--fault", "object.alloc:8"});
  EXPECT_EQ(told.exit, 1) << told.output;
  EXPECT_THAT(told.output, HasSubstr("C000009A INSUFFICIENT_RESOURCES"));
}

TEST_F(ExecutiveCommand, BadProgramsAreRefusedWithTheirStatus) {
  std::ofstream(file("text.exe")) << "no program";
  std::ofstream(file("empty.exe")).flush();
  std::ofstream(file("cut.exe")) << bytes_of(kGuests + "argv.exe").substr(0, 300);
  CommandResult told = run({file("text.exe")});
  EXPECT_EQ(told.exit, 1);
  EXPECT_THAT(told.output, HasSubstr("C000012F INVALID_IMAGE_NOT_MZ"));
  told = run({file("empty.exe")});
  EXPECT_EQ(told.exit, 1);
  EXPECT_THAT(told.output, HasSubstr("cannot start"));
  told = run({file("cut.exe")});
  EXPECT_EQ(told.exit, 1);
  EXPECT_THAT(told.output, HasSubstr("C000007B INVALID_IMAGE_FORMAT"));
  told = run({file("none.exe"), "--json"});
  EXPECT_EQ(told.exit, 1);
  EXPECT_THAT(told.output, HasSubstr(R"("error")"));
  EXPECT_THAT(told.output, HasSubstr("no such file"));
}

TEST_F(ExecutiveCommand, NothingIsOverwritten) {
  std::ofstream(file("out.dmp")) << "mine";
  EXPECT_EQ(run({kGuests + "holder.exe", "--dump", file("out.dmp")}).exit, 1);
  EXPECT_EQ(bytes_of(file("out.dmp")), "mine");
  std::ofstream(file("holder.pdb")) << "mine";
  const CommandResult told = run({kGuests + "holder.exe", "--dump", file("other.dmp")});
  EXPECT_EQ(told.exit, 3) << told.output;
  EXPECT_THAT(told.output,
              HasSubstr("holder.pdb is not laid beside the dump: another one is there"));
  EXPECT_EQ(bytes_of(file("holder.pdb")), "mine");
}

TEST_F(ExecutiveCommand, WhatRunsOrWaitsIsDumpedToo) {
  for (const std::string level : {"", "-O2"}) {
    const std::string running = file("counter" + level + ".dmp");
    CommandResult told =
        run({kGuests + "counter" + level + ".exe", "--max-steps", "5000", "--dump", running});
    EXPECT_EQ(told.exit, 0) << told.output;
    const std::vector<std::string> names = names_of(frames(running));
    ASSERT_FALSE(names.empty());
    EXPECT_EQ(names.back(), "entry");
    const std::string waiting = file("server" + level + ".dmp");
    told = run({kGuests + "server" + level + ".exe", "--dump", waiting});
    EXPECT_EQ(told.exit, 0) << told.output;
    EXPECT_THAT(told.output, HasSubstr("waits for what nobody will do"));
    EXPECT_THAT(names_of(frames(waiting)), ElementsAre("ntx_call", "entry"));
  }
  const CommandResult told = run({kGuests + "argv.exe", "--dump", file("argv.dmp")});
  EXPECT_EQ(told.exit, 0) << told.output;
  EXPECT_THAT(told.output, HasSubstr("no crash, and so no dump"));
  EXPECT_FALSE(std::filesystem::exists(file("argv.dmp")));
}

TEST_F(ExecutiveCommand, WhatRunsForEverIsEnded) {
  const CommandResult told = run({kGuests + "counter.exe", "--max-steps", "5000"});
  EXPECT_EQ(told.exit, 1);
  EXPECT_THAT(told.output, HasSubstr("runs still; --max-steps reached"));
}

}  // namespace
}  // namespace doppel
