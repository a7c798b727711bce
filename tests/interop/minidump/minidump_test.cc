// SPDX-License-Identifier: Apache-2.0
//
// The minidump of a real server in other people's readers: lldb, LLVM's obj2yaml, and Breakpad's
// minidump_stackwalk and minidump_dump. The measure is what gdb says of the ELF core of the same
// process, stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <tests/support/dumping.h>
#include <tests/support/live_target.h>
#include <tests/support/run_command.h>

namespace doppel {
namespace {

using testing::HasSubstr;

const std::string kScripts = DOPPEL_SOURCE_DIR "/tests/interop/minidump/";
const std::string kJudges = DOPPEL_JUDGES_DIR "/";

/// Program counters of a thread, innermost first.
using Frames = std::vector<std::string>;
using FramesByThread = std::map<int, Frames>;

/// A program of the samples: its first line is read, then it runs until it is dropped.
class Program {
 public:
  explicit Program(const std::vector<std::string>& words) {
    int ends[2];
    int in[2];
    if (::pipe(ends) != 0 || ::pipe(in) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(ends[1], 1);
      for (const int each : {in[0], in[1], ends[0], ends[1]}) ::close(each);
      std::vector<char*> argv;
      for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    ::close(in[0]);
    out_ = ends[0];
    in_ = in[1];  // the customers end with their standard input
  }

  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  ~Program() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(out_);
    ::close(in_);
  }

  std::string line() {
    std::string text;
    char c = 0;
    while (::read(out_, &c, 1) == 1 && c != '\n') text += c;
    return text;
  }

  void stop() const {
    ASSERT_EQ(::kill(pid_, SIGSTOP), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
    ASSERT_TRUE(WIFSTOPPED(status));
  }

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int in_ = -1;
};

FramesByThread parse_frames(const std::string& said) {
  FramesByThread frames;
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    int id = 0;
    if (!(words >> word >> id) || word != "frames") continue;
    for (std::string counter; words >> counter;) frames[id].push_back(counter);
  }
  return frames;
}

FramesByThread gdb_frames(const std::string& program, const std::string& core) {
  return parse_frames(run_command({"gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off",
                                   program, core, "-x", kScripts + "gdb_frames.py"})
                          .output);
}

FramesByThread lldb_frames(const std::string& dump) {
  return parse_frames(run_command({"lldb-19", "-x", "-b", "-c", dump, "-o",
                                   "command script import " + kScripts + "lldb_frames.py"})
                          .output);
}

bool starts_with(const Frames& all, const Frames& first) {
  return all.size() >= first.size() && std::equal(first.begin(), first.end(), all.begin());
}

/// Symbols and unwind tables of the modules, made by Breakpad's own tool.
void make_symbols(const ProcessImage& image, const std::string& folder) {
  for (const Module& module : image.modules) {
    if (!module.path.starts_with("/")) continue;
    const std::string text = run_command({kJudges + "dump_syms", module.path}).output;
    const std::size_t begin = text.find("MODULE ");
    if (begin == text.npos) continue;
    std::istringstream head(text.substr(begin));
    std::string word, system, processor, id, name;
    head >> word >> system >> processor >> id >> name;
    // The tool takes the name from DT_SONAME, the reader from the path.
    const std::string file = std::filesystem::path(module.path).filename();
    const std::filesystem::path place = std::filesystem::path(folder) / file / id;
    std::filesystem::create_directories(place);
    std::ofstream(place / (file + ".sym")) << text.substr(begin);
  }
}

/// By the number in the dump's list: Breakpad's tool does not print thread ids.
std::vector<Frames> stackwalk_frames(const std::string& said) {
  std::vector<Frames> threads;
  std::istringstream lines(said);
  bool in_threads = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Thread ")) {
      in_threads = true;
      threads.emplace_back();
    } else if (line.starts_with("Loaded modules")) {
      break;
    } else if (const std::size_t at = line.find("rip = "); in_threads && at != line.npos) {
      std::ostringstream counter;
      counter << std::hex << std::showbase << std::stoull(line.substr(at + 6), nullptr, 16);
      threads.back().push_back(counter.str());
    }
  }
  return threads;
}

class BusyServer : public testing::Test {
 protected:
  void SetUp() override {
    if (::access((kJudges + "minidump_stackwalk").c_str(), X_OK) != 0) {
      const char* const required = std::getenv("DOPPEL_REQUIRE_LIVE");
      ASSERT_FALSE(required != nullptr && std::string(required) == "1") << "no judges";
      GTEST_SKIP() << "Breakpad's readers are not installed (tests/interop/minidump/install-judges)";
    }
    std::istringstream ready(server_.line());
    std::string word, port, keys;
    ready >> word >> port >> keys;
    ASSERT_EQ(word, "ready");
    clients_.emplace(std::vector<std::string>{DOPPEL_BUSY_CLIENTS, port, keys, "3"});
    // Every connection is a thread of the server.
    ASSERT_EQ(clients_->line(), "ready");
    ASSERT_EQ(threads(), 7u);
    server_.stop();
  }

  std::size_t threads() const {
    const std::filesystem::path tasks = "/proc/" + std::to_string(server_.pid()) + "/task";
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(tasks), {}));
  }

  ProcessImage dump(const char* format, const std::string& path) {
    auto image = dump_to_file(server_.pid(), path, {.format = format});
    EXPECT_TRUE(image.has_value()) << image.error().step;
    return image ? *image : ProcessImage{};
  }

  Program server_{{DOPPEL_BUSY_SERVER, "16"}};
  std::optional<Program> clients_;
  TempDir directory_;
  std::string minidump_ = directory_.file("server.dmp"), core_ = directory_.file("server.core");
};

TEST_F(BusyServer, SameFramesInEveryReader) {
  const ProcessImage image = dump("minidump", minidump_);
  dump("elf", core_);
  const FramesByThread gdb = gdb_frames(DOPPEL_BUSY_SERVER, core_);
  ASSERT_EQ(gdb.size(), 7u);

  // lldb 19 gives up some threads above a function that never returns (its profile of the
  // instructions misses that the frame was left): on the ELF core alike. So: the same as on the
  // core, and nothing but what gdb has.
  const FramesByThread lldb = lldb_frames(minidump_);
  EXPECT_EQ(lldb, lldb_frames(core_));
  ASSERT_EQ(lldb.size(), gdb.size());
  std::size_t whole = 0;
  for (const auto& [id, frames] : lldb) {
    EXPECT_TRUE(starts_with(gdb.at(id), frames)) << id;
    EXPECT_GE(frames.size(), 2u);
    whole += frames == gdb.at(id);
  }
  EXPECT_GE(whole, 2u);

  make_symbols(image, directory_.file("symbols"));
  const CommandResult walked =
      run_command({kJudges + "minidump_stackwalk", minidump_, directory_.file("symbols")});
  EXPECT_EQ(walked.exit, 0) << walked.output;
  const std::vector<Frames> walk = stackwalk_frames(walked.output);
  ASSERT_EQ(walk.size(), image.threads.size());
  for (std::size_t i = 0; i < walk.size(); ++i) {
    const Frames& expected = gdb.at(image.threads[i].namespace_id);
    // It goes on past _start, whose caller is marked as undefined.
    EXPECT_TRUE(starts_with(walk[i], expected)) << "thread " << i << "\n" << walked.output;
    EXPECT_LE(walk[i].size(), expected.size() + 1);
  }
  EXPECT_THAT(walked.output, HasSubstr("busy_server!main"));
}

TEST_F(BusyServer, AcceptedWithAllThreadsAndModules) {
  const ProcessImage image = dump("minidump", minidump_);
  const CommandResult dumped = run_command({kJudges + "minidump_dump", minidump_});
  EXPECT_EQ(dumped.exit, 0) << dumped.output;
  EXPECT_THAT(dumped.output, HasSubstr("thread_count = 7\n"));
  EXPECT_THAT(dumped.output,
              HasSubstr("module_count = " + std::to_string(image.modules.size()) + "\n"));
  EXPECT_THAT(dumped.output, testing::Not(HasSubstr("ERROR")));
  for (const Module& module : image.modules) {
    const std::string name = module.path == "[vdso]" ? "linux-gate.so" : module.path;
    EXPECT_THAT(dumped.output, HasSubstr("\"" + name + "\"")) << "not among the modules";
  }
  const CommandResult yaml = run_command({"obj2yaml-19", minidump_});
  EXPECT_EQ(yaml.exit, 0);
  std::size_t ids = 0;
  for (std::size_t at = 0; (at = yaml.output.find("- Thread Id: ", at)) != yaml.output.npos; ++at)
    ++ids;
  EXPECT_EQ(ids, 7u);
  const CommandResult lldb =
      run_command({"lldb-19", "-x", "-b", "-c", minidump_, "-o", "image list", "-o",
                   "memory region $sp", "-o", "process status"});
  EXPECT_THAT(lldb.output, HasSubstr("Process " + std::to_string(server_.pid()) + " stopped"));
  EXPECT_THAT(lldb.output, HasSubstr("rw- [stack]"));
  for (const Module& module : image.modules) {
    if (!module.path.starts_with("/")) continue;
    EXPECT_THAT(lldb.output, HasSubstr(module.path));
  }
}

// Through the command: captured, converted to a core, and that in gdb.
TEST_F(BusyServer, ConvertedToACoreItIsTheSameInGdb) {
  dump("elf", core_);
  const std::string direct = directory_.file("command.dmp"), back = directory_.file("back.core");
  const CommandResult captured =
      run_command({DOPPEL_PROGRAM, "capture", std::to_string(server_.pid()), "--format", "minidump",
                   "-o", direct});
  ASSERT_EQ(captured.exit, 0) << captured.output;
  const CommandResult converted =
      run_command({DOPPEL_PROGRAM, "convert", direct, "-o", back, "--no-compress"});
  ASSERT_EQ(converted.exit, 0) << converted.output;
  EXPECT_EQ(gdb_frames(DOPPEL_BUSY_SERVER, back), gdb_frames(DOPPEL_BUSY_SERVER, core_));

  // There and back again: not one byte is lost.
  const std::string there = directory_.file("there.dmp.zst"), again = directory_.file("again.core");
  ASSERT_EQ(run_command({DOPPEL_PROGRAM, "convert", core_, there}).exit, 0);
  ASSERT_EQ(run_command({DOPPEL_PROGRAM, "convert", there, "-o", again, "--no-compress"}).exit, 0);
  EXPECT_EQ(run_command({"cmp", core_, again}).output, "");
}

// A crash in a foreign reader: signal, address and thread.
TEST(Fault, IsShownByEveryReader) {
  if (::access((kJudges + "minidump_stackwalk").c_str(), X_OK) != 0) GTEST_SKIP() << "no judges";
  LiveTarget target("tls_vars", {"2"});
  LinuxBackend backend;
  CaptureRequest request;
  request.target = target.pid();
  auto snapshot = backend.capture(request);
  ASSERT_TRUE(snapshot.has_value());
  // The back end captures on request; a crash is the same image with a fault.
  const Thread& second = snapshot->image.threads.at(1);
  snapshot->image.fault =
      Fault{.thread = second.id, .number = SIGSEGV, .code = 1, .address = {0x1234}, .siginfo = {}};
  const TempDir directory;
  const std::string path = directory.file("crash.dmp");
  auto sink = FileSink::create(path);
  ASSERT_TRUE(sink.has_value());
  const auto selection = select(snapshot->image, *snapshot->memory);
  ASSERT_TRUE(selection.has_value());
  auto plan = find_format("minidump")->plan(snapshot->image, *selection);
  ASSERT_TRUE(plan.has_value());
  const std::string id = std::to_string(second.namespace_id);
  auto job = WriteJob::start(std::move(*snapshot), std::move(*plan), std::move(*sink),
                             {.compress = false, .threads = 1});
  ASSERT_TRUE(std::move(job).wait().has_value());
  const CommandResult walked = run_command({kJudges + "minidump_stackwalk", path});
  EXPECT_THAT(walked.output, HasSubstr("Crash reason:  SIGSEGV"));
  EXPECT_THAT(walked.output, HasSubstr("Crash address: 0x1234"));
  EXPECT_THAT(walked.output, HasSubstr("Thread 1 (crashed)"));
  const CommandResult lldb = run_command({"lldb-19", "-x", "-b", "-c", path, "-o", "thread list"});
  EXPECT_THAT(lldb.output, HasSubstr("* thread #2"));
  EXPECT_THAT(lldb.output, HasSubstr("SIGSEGV"));
  EXPECT_TRUE(target.finish().ok);
}

}  // namespace
}  // namespace doppel
