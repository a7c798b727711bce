// SPDX-License-Identifier: Apache-2.0
//
// Processes that cannot be captured, or not simply: each refusal with its own words and exit code,
// each of them harmless.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

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
using testing::StartsWith;

constexpr long kNobody = 65534;

std::string id(pid_t pid) {
  return std::to_string(pid);
}

/// A directory that any user may write to, for dumps.
struct OpenDir : TempDir {
  OpenDir() { ::chmod(path().c_str(), 0777); }
};

Ran capture(const std::string& target, const TempDir& directory,
            std::vector<std::string> options = {}, RunOptions run = {}) {
  options.insert(options.begin(), {"capture", target});
  run.directory = directory.path().string();
  return run_doppel(options, run);
}

void expect_refused(const Ran& ran, int exit, const std::string& words, const TempDir& directory) {
  EXPECT_EQ(ran.exit, exit) << ran.err;
  EXPECT_THAT(ran.err, AllOf(StartsWith("doppel: "), HasSubstr(words)));
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(directory.empty());
}

std::string why_not_root() {
  return ::geteuid() == 0 ? "" : "needs root";
}

TEST(cli_target, a_process_that_never_was) {
  const TempDir directory;
  expect_refused(capture("4194304", directory), 4, "4194304", directory);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they reserve terabytes
// Wherever it runs out of room for a thread or for memory: a message, never a crash.
TEST(cli_target, under_every_limit_of_memory) {
  const TempDir directory;
  LiveTarget target("quiet");
  int refused = 0, killed = 0;
  for (int mib = 14; mib <= 100; mib += 2) {
    SCOPED_TRACE(mib);
    RunOptions run;
    run.wrapper = {"prlimit", "--as=" + std::to_string(mib << 20)};
    const Ran ran = capture(id(target.pid()), directory, {"-o", std::to_string(mib) + ".zst"}, run);
    if (ran.exit >= 128) ++killed;  // 127: not even loaded
    if (ran.exit != 0) ++refused;
  }
  EXPECT_GT(refused, 5);
  // Where it is the stack that cannot grow, the kernel's only answer is SIGSEGV.
  EXPECT_LE(killed, 1);
  EXPECT_TRUE(target.finish().ok);
}
#endif

TEST(cli_target, a_process_that_just_exited) {
  const TempDir directory;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  expect_refused(capture(id(child), directory), 4, id(child), directory);
}

TEST(cli_target, a_zombie) {
  const TempDir directory;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  const Ran ran = capture(id(child), directory);
  ::waitpid(child, nullptr, 0);
  expect_refused(ran, 4, "waits to be collected by", directory);
}

TEST(cli_target, a_kernel_thread) {
  std::ifstream file("/proc/2/comm");
  std::string comm;
  file >> comm;
  DOPPEL_SKIP_IF(comm == "kthreadd" ? "" : "no kernel threads to be seen here");
  const TempDir directory;
  expect_refused(capture("2", directory), 1, "kernel", directory);
}

TEST(cli_target, doppel_itself) {
  const TempDir directory;
  RunOptions run;
  run.wrapper = {"sh", "-c", "exec \"$0\" capture $$"};
  run.directory = directory.path().string();
  expect_refused(run_doppel({}, run), 2, "capture from another process", directory);
}

TEST(cli_target, ids_out_of_range) {
  const TempDir directory;
  for (const char* bad : {"0", "4194305", "99999999999999999999999", "-5"})
    expect_refused(capture(bad, directory), 2, "is not a process id", directory);
}

TEST(cli_target, a_thread_that_is_not_the_leader) {
  LiveTarget target("quiet");
  DOPPEL_SKIP_IF(target.skip_reason());
  pid_t thread = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + id(target.pid()) + "/task"))
    thread = std::stoi(entry.path().filename().string());
  ASSERT_NE(thread, target.pid());
  const TempDir directory;
  expect_refused(capture(id(thread), directory), 4, id(target.pid()), directory);
  EXPECT_TRUE(target.finish().ok);
}

TEST(cli_target, another_users_process) {
  DOPPEL_SKIP_IF(why_not_root());
  LiveTarget target("quiet");
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  const OpenDir directory;
  RunOptions run;
  run.user = kNobody;
  const Ran ran = capture(id(target.pid()), directory, {}, run);
  expect_refused(ran, 5, "not permitted", directory);
  EXPECT_THAT(ran.err, HasSubstr("; ")) << "what to do next";
  EXPECT_EQ(unharmed.harm(), "");
  EXPECT_TRUE(target.finish().ok);
}

TEST(cli_target, an_ordinary_users_own_process) {
  DOPPEL_SKIP_IF(why_not_root());
  LiveTargetOptions options;
  options.user = kNobody;
  LiveTarget target("quiet", {}, options);
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  const OpenDir directory;
  RunOptions run;
  run.user = kNobody;
  const Ran ran = capture(id(target.pid()), directory, {"--json"}, run);
  ASSERT_EQ(ran.exit, 0) << ran.err << ran.out;
  EXPECT_EQ(json::parse(ran.out).at("engine"), "clone");
  EXPECT_EQ(unharmed.harm(), "");
  EXPECT_TRUE(target.finish().ok);
}

TEST(cli_target, a_process_that_gdb_holds) {
  DOPPEL_SKIP_IF(has_program("gdb") ? "" : "no gdb");
  LiveTarget target("quiet");
  DOPPEL_SKIP_IF(target.skip_reason());
  // gdb takes its commands from a pipe and says when it has attached.
  int commands[2];
  int words[2];
  ASSERT_EQ(::pipe2(commands, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(words, O_CLOEXEC), 0);
  const pid_t gdb = ::fork();
  if (gdb == 0) {
    ::dup2(commands[0], 0);
    ::dup2(words[1], 1);
    ::dup2(words[1], 2);
    ::unsetenv("DEBUGINFOD_URLS");
    const std::string pid = id(target.pid());
    ::execlp("gdb", "gdb", "-q", "-nx", "-ex", "set confirm off", "-p", pid.c_str(), nullptr);
    ::_exit(96);
  }
  ::close(commands[0]);
  ::close(words[1]);
  const std::string say = "echo is-attached\\n\n";
  ASSERT_EQ(::write(commands[1], say.data(), say.size()), static_cast<ssize_t>(say.size()));
  std::string said;
  char byte = 0;
  while (said.find("is-attached\n") == std::string::npos && ::read(words[0], &byte, 1) == 1)
    said += byte;

  const TempDir directory;
  const Ran refused = capture(id(target.pid()), directory);
  EXPECT_EQ(refused.exit, 5) << refused.err;
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("gdb"), HasSubstr(id(gdb)), HasSubstr("--engine direct")));
  EXPECT_TRUE(directory.empty());
  EXPECT_EQ(capture(id(target.pid()), directory, {"--engine", "clone"}).exit, 5);
  EXPECT_TRUE(directory.empty());

  const Ran direct = capture(id(target.pid()), directory, {"--engine", "direct", "--json"});
  EXPECT_THAT(direct.exit, testing::AnyOf(0, 3)) << direct.err;
  const json report = json::parse(direct.out);
  EXPECT_EQ(report.at("engine"), "direct");
  EXPECT_NE(report.at("consistency"), "instant");
  EXPECT_NE(report.at("consistency"), "");
  EXPECT_FALSE(directory.empty());

  ::close(commands[1]);  // gdb detaches and ends
  while (::read(words[0], &byte, 1) == 1) {
  }
  ::close(words[0]);
  ::waitpid(gdb, nullptr, 0);
  EXPECT_TRUE(target.finish().ok);
}

/// A program of the 32-bit architecture in 100 bytes: pause(2), for ever.
void write_32_bit_program(const std::string& path) {
  const unsigned char code[] = {0xb8, 29,   0, 0, 0,  // mov $29 (pause), %eax
                                0xcd, 0x80,           // int $0x80
                                0xeb, 0xf7};          // jmp back
  const unsigned char header[] = {
      0x7f, 'E', 'L',  'F', 1,    1, 1,    0, 0,    0,    0,    0,    0, 0,    0,    0,  //
      2,    0,   3,    0,   1,    0, 0,    0, 0x54, 0x80, 0x04, 0x08,  // executable, i386, entry
      0x34, 0,   0,    0,   0,    0, 0,    0, 0,    0,    0,    0,     // program headers at 0x34
      0x34, 0,   0x20, 0,   1,    0, 0x28, 0, 0,    0,    0,    0,     // one of them
      1,    0,   0,    0,   0,    0, 0,    0, 0,    0x80, 0x04, 0x08, 0, 0x80, 0x04, 0x08,
      0x5d, 0,   0,    0,   0x5d, 0, 0,    0, 5,    0,    0,    0,    0, 0x10, 0,    0};
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(header), sizeof header);
  file.write(reinterpret_cast<const char*>(code), sizeof code);
  file.close();
  ::chmod(path.c_str(), 0755);
}

TEST(cli_target, a_32_bit_process) {
  const TempDir programs;
  const std::string program = programs.file("small");
  write_32_bit_program(program);
  // The parent knows that the child has become the program when the pipe closes.
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(program.c_str(), program.c_str(), nullptr);
    const char failed = 'x';
    (void)!::write(ends[1], &failed, 1);
    ::_exit(96);
  }
  ::close(ends[1]);
  char byte = 0;
  const bool runs = ::read(ends[0], &byte, 1) == 0;
  ::close(ends[0]);
  const TempDir directory;
  const Ran ran = runs ? capture(id(child), directory) : Ran{};
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  DOPPEL_SKIP_IF(runs ? "" : "this kernel runs no 32-bit programs");
  expect_refused(ran, 1, "32-bit", directory);
}

/// The innermost process of a wrapper such as unshare --fork.
pid_t innermost(pid_t pid) {
  for (;;) {
    std::ifstream file("/proc/" + id(pid) + "/task/" + id(pid) + "/children");
    pid_t child = 0;
    if (!(file >> child)) return pid;
    pid = child;
  }
}

struct Wrapped {
  const char* name;
  std::vector<std::string> wrapper;
};

class cli_namespaces : public testing::TestWithParam<Wrapped> {};

TEST_P(cli_namespaces, are_no_obstacle) {
  DOPPEL_SKIP_IF(why_not_root());
  DOPPEL_SKIP_IF(run_command([] {
                   std::vector<std::string> words = GetParam().wrapper;
                   words.push_back("true");
                   return words;
                 }())
                             .exit == 0
                     ? ""
                     : "no such namespaces here");
  LiveTargetOptions options;
  options.wrapper = GetParam().wrapper;
  LiveTarget target("quiet", {}, options);
  DOPPEL_SKIP_IF(target.skip_reason());
  const TempDir directory;
  const pid_t pid = innermost(target.started());
  ASSERT_NE(pid, target.started());
  const Ran ran = capture(id(pid), directory, {"--json"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const json report = json::parse(ran.out);
  EXPECT_EQ(report.at("pid"), pid);
  EXPECT_EQ(report.at("engine"), "clone");
  EXPECT_TRUE(target.finish().ok);
}

INSTANTIATE_TEST_SUITE_P(
    each, cli_namespaces,
    testing::Values(Wrapped{"init", {"unshare", "--pid", "--fork", "--kill-child"}},
                    Wrapped{"container",
                            {"unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup",
                             "--fork", "--kill-child", "--mount-proc"}},
                    Wrapped{"user",
                            {"unshare", "--user", "--map-root-user", "--pid", "--mount", "--fork",
                             "--kill-child"}}),
    [](const auto& each) { return each.param.name; });

TEST(cli_target, a_process_that_forbade_dumps) {
  DOPPEL_SKIP_IF(why_not_root());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_DUMPABLE, 0);
    ::close(ends[0]);
    (void)!::write(ends[1], "r", 1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  ::close(ends[0]);
  ::close(ends[1]);
  const TempDir directory;
  expect_refused(capture(id(child), directory), 5, "--force-undumpable", directory);
  const Ran forced = capture(id(child), directory, {"--force-undumpable"});
  EXPECT_EQ(forced.exit, 0) << forced.err;
  EXPECT_FALSE(directory.empty());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(cli_target, a_filter_that_cannot_be_suspended) {
  DOPPEL_SKIP_IF(why_not_root());
  LiveTargetOptions options;
  options.user = kNobody;
  LiveTarget target("seccomp", {"kill"}, options);
  DOPPEL_SKIP_IF(target.skip_reason());
  const OpenDir directory;
  RunOptions run;
  run.user = kNobody;
  const std::string pid = id(target.pid());
  const Ran clone = capture(pid, directory, {"--engine", "clone"}, run);
  EXPECT_EQ(clone.exit, 1) << clone.err;
  EXPECT_THAT(clone.err, HasSubstr("seccomp"));
  EXPECT_TRUE(directory.empty());
  // Not asked for, so said, and counted as a loss.
  const Ran automatic = capture(pid, directory, {"--json"}, run);
  EXPECT_EQ(automatic.exit, 3) << automatic.err;
  const json report = json::parse(automatic.out);
  EXPECT_EQ(report.at("engine"), "direct");
  EXPECT_THAT(report.at("notes").dump(), HasSubstr("seccomp"));
  EXPECT_EQ(run_doppel({"doctor", pid}, run).exit, 3);
  const Ran direct = capture(pid, directory, {"--engine", "direct"}, run);
  EXPECT_EQ(direct.exit, 0) << "asked for: " << direct.err;
  EXPECT_TRUE(target.finish().ok);
}

TEST(cli_target, a_pause_that_is_too_long) {
  LiveTarget target("quiet");
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  const TempDir directory;
  const Ran ran = capture(id(target.pid()), directory, {"--max-pause", "0.001"});
  expect_refused(ran, 1, "--max-pause", directory);
  EXPECT_EQ(unharmed.harm(), "");
  EXPECT_EQ(capture(id(target.pid()), directory, {"--max-pause", "60000"}).exit, 0);
  EXPECT_TRUE(target.finish().ok);
}

TEST(cli_target, by_name) {
  // A name that no other test uses at the same time.
  const TempDir programs;
  const std::string name = "dq" + id(::getpid());
  const std::string program = programs.file(name.c_str());
  std::filesystem::copy_file(DOPPEL_TARGETS_DIR "/quiet", program);
  LiveTarget first(program);
  DOPPEL_SKIP_IF(first.skip_reason());
  const TempDir directory;
  const Ran one = capture(name, directory, {"--json"});
  ASSERT_EQ(one.exit, 0) << one.err;
  EXPECT_EQ(json::parse(one.out).at("pid"), first.pid());

  LiveTarget second(program);
  const TempDir empty;
  const Ran two = capture(name, empty);
  EXPECT_EQ(two.exit, 2);
  EXPECT_THAT(two.err, AllOf(HasSubstr("names 2 processes"), HasSubstr(" " + id(first.pid()) + " "),
                             HasSubstr(" " + id(second.pid()) + " "), HasSubstr(program)));
  EXPECT_TRUE(empty.empty());

  const Ran none = capture(name + "x", empty);
  EXPECT_EQ(none.exit, 4);
  EXPECT_THAT(none.err, HasSubstr("no process named '" + name + "x'"));
  EXPECT_TRUE(first.finish().ok);
  EXPECT_TRUE(second.finish().ok);
}

TEST(cli_target, several_at_once) {
  const TempDir directory;
  expect_refused(run_doppel({"capture", "1", "2"}), 2, "one process at a time", directory);
}

TEST(cli_target, errors_as_json) {
  const TempDir directory;
  const Ran ran = capture("4194304", directory, {"--json"});
  EXPECT_EQ(ran.exit, 4);
  EXPECT_EQ(json::parse(ran.out).at("error").at("exit"), 4);
  EXPECT_THAT(ran.err, StartsWith("doppel: "));
}

TEST(cli_doctor, foretells_what_capture_does) {
  LiveTarget target("quiet");
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  const Ran ran = run_doppel({"doctor", id(target.pid()), "--json"});
  EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
  const json report = json::parse(ran.out);
  EXPECT_EQ(report.at("pid"), target.pid());
  EXPECT_EQ(report.at("engine"), "clone");
  EXPECT_TRUE(report.at("predicted_pause_us").is_number());
  EXPECT_EQ(run_doppel({"doctor", "4194304"}).exit, 4);
  EXPECT_EQ(run_doppel({"doctor", "0"}).exit, 2);
  EXPECT_EQ(unharmed.harm(), "");
  EXPECT_TRUE(target.finish().ok);
}

}  // namespace
}  // namespace doppel
