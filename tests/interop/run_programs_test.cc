// SPDX-License-Identifier: Apache-2.0
//
// Real programs under `doppel run`: redis crashes and answers again while its dump is being
// written; Java and Python handle their own SIGSEGV, and only what ends them is a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include <dumpwriter/read/open_dump.h>
#include <tests/live/capturing.h>
#include <tests/live/run_service.h>
#include <tests/support/live_target.h>
#include <tests/support/run_command.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Sends one command to a redis at a socket; its answer as it comes, "" when there is none.
std::string ask(const std::string& path, const std::vector<std::string>& words) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  (void)!::write(fd.get(), text.data(), text.size());
  char answer[256];
  const ssize_t got = ::read(fd.get(), answer, sizeof answer);
  return got > 0 ? std::string(answer, static_cast<std::size_t>(got)) : "";
}

bool await_ping(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (ask(path, {"PING"}) != "+PONG\r\n") {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::usleep(1000);
  }
  return true;
}

std::vector<std::string> redis(const std::string& directory, const char* crash_log) {
  return {"redis-server",
          "--port",
          "0",
          "--unixsocket",
          directory + "/redis.sock",
          "--save",
          "",
          "--appendonly",
          "no",
          "--enable-debug-command",
          "yes",
          "--crash-log-enabled",
          crash_log,
          "--dir",
          directory};
}

bool holds(const Snapshot& dump, const std::string& text) {
  std::string piece(4 << 20, '\0');
  for (const Region& region : dump.image.regions) {
    if (!region.access.write) continue;
    for (std::uint64_t at = region.range.begin.value; at < region.range.end();) {
      const std::size_t size = std::min<std::uint64_t>(piece.size(), region.range.end() - at);
      const auto got =
          dump.memory->read({at}, std::as_writable_bytes(std::span(piece.data(), size)));
      if (!got) break;
      if (std::string_view(piece.data(), *got).find(text) != std::string_view::npos) return true;
      if (*got < size || at + size >= region.range.end()) break;
      at += size - text.size();
    }
  }
  return false;
}

TEST(RunRedis, AnswersAgainWhileItsDumpIsWritten) {
  TempDir directory;
  RunService run({"--restart", "on-crash"}, redis(directory.path(), "no"));
  const std::string socket = directory.file("redis.sock");
  ASSERT_TRUE(await_ping(socket)) << run.errors();
  ASSERT_EQ(ask(socket, {"DEBUG", "POPULATE", "1000000", "key", "900"}), "+OK\r\n");
  std::string marker = "the last word:";
  for (std::uint64_t i = 0; i < 64; ++i) marker += std::to_string(mix(i));
  ASSERT_EQ(ask(socket, {"SET", "marker", marker}), "+OK\r\n");
  EXPECT_EQ(ask(socket, {"DEBUG", "SEGFAULT"}), "");
  ASSERT_TRUE(await_ping(socket)) << run.errors();
  EXPECT_EQ(run.events("dump_written").size(), 0u) << "1 GiB was written before redis was back";
  ASSERT_TRUE(run.await_events("dump_written", 1)) << run.errors();
  EXPECT_EQ(run.events("crashed").size(), 1u);
  EXPECT_GT(run.events("dump_written").front().number("memory_bytes"), 900'000'000);
  Result<Snapshot> dump = open_dump(run.dumps().front());
  DOPPEL_ASSERT_OK(dump);
  EXPECT_TRUE(holds(*dump, marker));
  ::kill(run.pid(), SIGTERM);
  EXPECT_EQ(run.wait(), 0);
}

TEST(RunRedis, ItsOwnHandlerRunsFirstAndTheCrashedFrameIsThere) {
  TempDir directory;
  RunService run({"--restart", "on-crash"}, redis(directory.path(), "yes"));
  const std::string socket = directory.file("redis.sock");
  ASSERT_TRUE(await_ping(socket)) << run.errors();
  EXPECT_EQ(ask(socket, {"DEBUG", "SEGFAULT"}), "");
  ASSERT_TRUE(run.await_events("dump_written", 1)) << run.errors();
  EXPECT_EQ(run.events("crashed").size(), 1u);
  const std::string core = directory.file("core");
  ASSERT_EQ(run_command({"zstd", "-qd", run.dumps().front(), "-o", core}).exit, 0);
  const CommandResult debugger =
      run_command({"gdb", "-q", "-batch", "-ex", "bt", "/usr/bin/redis-server", core});
  const std::size_t handler = debugger.output.find("<signal handler called>");
  ASSERT_NE(handler, std::string::npos) << debugger.output;
  EXPECT_NE(debugger.output.find("debugCommand", handler), std::string::npos) << debugger.output;
  ::kill(run.pid(), SIGTERM);
  run.wait();
}

TEST(RunPython, ItsTracebackIsPrintedAndThereIsOneDump) {
  RunService run(
      {}, {"/usr/bin/python3", "-X", "faulthandler", "-c", "import ctypes; ctypes.string_at(0)"});
  const int status = run.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
  EXPECT_THAT(run.errors(), HasSubstr("Fatal Python error: Segmentation fault"));
  EXPECT_EQ(run.events("crashed").size(), 1u);
  EXPECT_EQ(run.dumps().size(), 1u);
}

/// Reads a field of null 100 000 times, which the JVM learns by SIGSEGV; then, if asked, writes to
/// where nothing is.
constexpr const char* kJava = R"(
public class Nulls {
  int v;
  static int get(Nulls n) { return n.v; }
  public static void main(String[] arguments) throws Exception {
    int caught = 0;
    Nulls some = new Nulls();
    for (int i = 0; i < 200000; ++i) {
      try { get(i % 2 == 0 ? null : some); } catch (NullPointerException e) { ++caught; }
    }
    System.out.println("caught " + caught);
    if (arguments.length == 0) return;
    var field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
    field.setAccessible(true);
    ((sun.misc.Unsafe) field.get(null)).putAddress(8L, 1L);
  }
}
)";

TEST(RunJava, ItsOwnFaultsAreNoneOfOursAndItsCrashIsOne) {
  DOPPEL_SKIP_IF(!has_program("javac") ? "no Java compiler here" : "");
  TempDir directory;
  std::ofstream(directory.file("Nulls.java")) << kJava;
  ASSERT_EQ(run_command({"javac", "-nowarn", directory.file("Nulls.java")}).exit, 0);
  const std::string classes = directory.path();
  {
    RunService run({}, {"java", "-Xmx64m", "-cp", classes, "Nulls"});
    EXPECT_EQ(run.next_line(), "caught 100000") << run.errors();
    EXPECT_EQ(run.wait(), 0);
    EXPECT_EQ(run.events().size(), 1u);
  }
  RunService run({}, {"java", "-Xmx64m", "-XX:ErrorFile=" + classes + "/hs_err", "-cp", classes,
                      "Nulls", "crash"});
  EXPECT_EQ(run.next_line(), "caught 100000") << run.errors();
  while (!run.next_line().empty()) {
  }
  const int status = run.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
  EXPECT_EQ(run.events("crashed").size(), 1u);
  EXPECT_EQ(run.dumps().size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(classes + "/hs_err"));
}

}  // namespace
}  // namespace doppel
