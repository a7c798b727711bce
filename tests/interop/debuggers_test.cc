// SPDX-License-Identifier: Apache-2.0
//
// The dump of a real process in other people's tools: each opens it and walks every thread, and gdb
// says of the core exactly what it says of the same process, stopped and attached to.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <tests/support/core_view.h>
#include <tests/support/dumping.h>
#include <tests/support/live_target.h>
#include <tests/support/run_command.h>

namespace doppel {
namespace {

const std::string kScripts = DOPPEL_SOURCE_DIR "/tests/interop/";

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + what.size()))
    ++found;
  return found;
}

void stop(const LiveTarget& target) {
  ASSERT_EQ(::kill(target.pid(), SIGSTOP), 0);
  int status;
  ASSERT_EQ(::waitpid(target.started(), &status, WUNTRACED), target.started());
}

/// A victim, its compressed dump, and the dump unpacked by zstd itself.
class Dumped {
 public:
  explicit Dumped(const std::string& victim, const std::vector<std::string>& arguments = {},
                  bool stopped = false)
      : program(DOPPEL_TARGETS_DIR "/" + victim), target(victim, arguments) {
    if (stopped) stop(target);
    compressed = directory.file("dump.core.zst");
    core = directory.file("dump.core");
    auto dumped = dump_to_file(target.pid(), compressed, {.compress = true});
    if (!dumped) {
      error = std::string(dumped.error().step) + " " + dumped.error().subject + " errno " +
              std::to_string(dumped.error().os);
      return;
    }
    image = *dumped;
    const CommandResult unpacked = run_command({"zstd", "-dq", compressed, "-o", core});
    if (unpacked.exit != 0) error = "zstd: " + unpacked.output;
  }

  std::string program;
  TempDir directory;
  LiveTarget target;
  std::string compressed, core, error;
  ProcessImage image;
};

struct Sample {
  const char* victim;
  std::vector<std::string> arguments;
  std::size_t threads;
  const char* function;  ///< stands on the stack of at least one thread
  std::size_t times;     ///< how often at least
};

class Tools : public testing::TestWithParam<Sample> {};

void PrintTo(const Sample& sample, std::ostream* out) {
  *out << sample.victim;
}

TEST_P(Tools, OpenTheDump) {
  const Sample& sample = GetParam();
  Dumped dump(sample.victim, sample.arguments);
  ASSERT_EQ(dump.error, "");
  {
    SCOPED_TRACE("gdb");
    const CommandResult result =
        run_command({"gdb", "-nx", "-batch", "-ex", "thread apply all backtrace", "-ex",
                     "info threads", dump.program, dump.core});
    EXPECT_EQ(result.exit, 0);
    EXPECT_EQ(count(result.output, "\nThread "), sample.threads) << result.output;
    EXPECT_GE(count(result.output, std::string(sample.function) + " ("), sample.times)
        << result.output;
    // gdb 13 does not know the size of a processor state with AMX and says so of the kernel's own
    // cores too; it reads the registers all the same (SameInGdb compares them).
    EXPECT_EQ(count(result.output, "warning") -
                  count(result.output, "warning: Unexpected size of section `.reg-xstate/"),
              0u)
        << result.output;
    EXPECT_EQ(count(result.output, "Cannot access memory"), 0u) << result.output;
  }
  {
    SCOPED_TRACE("lldb");
    const CommandResult result =
        run_command({"lldb-19", "-x", "-b", "-o", "thread list", "-o", "thread backtrace all", "-c",
                     dump.core, dump.program});
    EXPECT_EQ(result.exit, 0);
    EXPECT_GE(count(result.output, std::string("`") + sample.function), sample.times)
        << result.output;
    EXPECT_GE(count(result.output, "thread #"), sample.threads) << result.output;
  }
  {
    SCOPED_TRACE("eu-stack");
    const CommandResult result =
        run_command({"eu-stack", "-n", "0", "--core", dump.core, "--executable", dump.program});
    EXPECT_EQ(result.exit, 0) << result.output;
    EXPECT_EQ(count(result.output, "TID "), sample.threads) << result.output;
    EXPECT_GE(count(result.output, sample.function), sample.times) << result.output;
  }
  {
    SCOPED_TRACE("drgn");
    const CommandResult result =
        run_command({"/usr/bin/python3", kScripts + "drgn_stacks.py", dump.core, dump.program});
    EXPECT_EQ(result.exit, 0) << result.output;
    EXPECT_EQ(count(result.output, "threads " + std::to_string(sample.threads) + "\n"), 1u)
        << result.output;
    EXPECT_GE(count(result.output, std::string("  ") + sample.function + "\n"), sample.times)
        << result.output;
  }
  {
    SCOPED_TRACE("eu-readelf");
    const CommandResult result = run_command({"eu-readelf", "-hln", dump.core});
    EXPECT_EQ(result.exit, 0) << result.output;
    EXPECT_EQ(count(result.output, "PRSTATUS"), sample.threads);
    EXPECT_EQ(count(result.output, "invalid"), 0u) << result.output;
  }
  const Ending ending = dump.target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

INSTANTIATE_TEST_SUITE_P(Samples, Tools,
                         testing::Values(Sample{"tls_vars", {"4"}, 5, "tls_stop", 4},
                                         Sample{"deep_stack", {"60"}, 1, "descend", 60},
                                         Sample{"busy_threads", {"2", "2"}, 6, "sleeper", 1},
                                         Sample{"many_threads", {"60"}, 61, "sleeper", 59}),
                         [](const auto& each) { return each.param.victim; });

std::string gdb_state(const std::vector<std::string>& what) {
  std::vector<std::string> words = {"gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off"};
  words.insert(words.end(), what.begin(), what.end());
  words.insert(words.end(), {"-x", kScripts + "gdb_state.py"});
  const CommandResult result = run_command(words);
  // What gdb says about itself in between: its surprise at AMX, and that it lets the process go.
  std::istringstream lines(
      result.output.substr(std::min(result.output.find("== thread"), result.output.size())));
  std::string state;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("warning: Unexpected size of section") &&
        !line.starts_with("[Inferior") && !line.empty())
      state += line + "\n";
  return state.empty() ? "gdb said: " + result.output : state;
}

std::string first_differences(const std::string& ours, const std::string& theirs) {
  std::istringstream a(ours), b(theirs);
  std::string line_a, line_b, section, found;
  int differences = 0;
  while (differences < 12) {
    const bool more_a = !!std::getline(a, line_a), more_b = !!std::getline(b, line_b);
    if (!more_a && !more_b) break;
    if (!more_a) line_a = "(end)";
    if (!more_b) line_b = "(end)";
    if (line_a.starts_with("== ")) section = line_a;
    if (line_a == line_b) continue;
    ++differences;
    found += section + ": core says [" + line_a.substr(0, 300) + "], process says [" +
             line_b.substr(0, 300) + "]\n";
    if (!more_a || !more_b) break;
  }
  return found;
}

class SameInGdb : public testing::TestWithParam<Sample> {};

// Backtraces, all registers of all threads, TLS variables, auxv, file mappings, libraries.
TEST_P(SameInGdb, CoreAndProcess) {
  Dumped dump(GetParam().victim, GetParam().arguments, true);
  ASSERT_EQ(dump.error, "");
  const std::string live = gdb_state({"-p", std::to_string(dump.target.pid())});
  const std::string core = gdb_state({dump.program, dump.core});
  EXPECT_EQ(count(live, "== thread"), GetParam().threads) << live.substr(0, 2000);
  EXPECT_EQ(first_differences(core, live), "");
  // Not the same emptiness twice.
  EXPECT_GE(count(core, "rip = 0x"), GetParam().threads);
  EXPECT_GE(count(core, "\nxmm7 = ") + count(core, "\nymm7 = "), GetParam().threads);
  EXPECT_GE(count(core, "AT_SYSINFO_EHDR"), 1u);
  EXPECT_GE(count(core, "libc.so.6"), 2u);
  if (std::string(GetParam().victim) == "tls_vars") {
    EXPECT_EQ(count(core, "tls_number = 1003"), 1u);
    EXPECT_EQ(count(core, "thread number 2"), 1u);
  }
  ::kill(dump.target.pid(), SIGCONT);
  const Ending ending = dump.target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

INSTANTIATE_TEST_SUITE_P(Samples, SameInGdb,
                         testing::Values(Sample{"tls_vars", {"4"}, 5, "", 0},
                                         Sample{"busy_threads", {"2", "2"}, 6, "", 0},
                                         Sample{"in_handler", {}, 6, "", 0},
                                         Sample{"deep_stack", {"40"}, 1, "", 0}),
                         [](const auto& each) { return each.param.victim; });

class Judged : public testing::TestWithParam<Sample> {};

// Every byte of private memory, thread names, the whole map: against /proc, by a reader of its own.
TEST_P(Judged, AgainstTheStoppedProcess) {
  Dumped dump(GetParam().victim, GetParam().arguments, true);
  ASSERT_EQ(dump.error, "");
  const CommandResult result = run_command({"/usr/bin/python3", kScripts + "core_judge.py",
                                            dump.core, std::to_string(dump.target.pid())});
  EXPECT_EQ(result.exit, 0) << result.output;
  std::printf("%s: %s", GetParam().victim, result.output.c_str());
  ::kill(dump.target.pid(), SIGCONT);
  const Ending ending = dump.target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

INSTANTIATE_TEST_SUITE_P(Samples, Judged,
                         testing::Values(Sample{"quiet", {"4096"}, 3, "", 0},
                                         Sample{"tls_vars", {"4"}, 5, "", 0},
                                         Sample{"rseq_spinner", {"4"}, 5, "", 0},
                                         Sample{"odd_maps", {}, 1, "", 0},
                                         Sample{"busy_threads", {"2", "2"}, 6, "", 0},
                                         Sample{"many_maps", {"3000"}, 1, "", 0},
                                         Sample{"generations", {"512"}, 3, "", 0}),
                         [](const auto& each) { return each.param.victim; });

std::vector<std::byte> file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

using NoteKey = std::pair<std::string, std::uint32_t>;

std::map<NoteKey, std::vector<std::string>> notes_by_kind(const CoreView& core) {
  std::map<NoteKey, std::vector<std::string>> found;
  for (const NoteView& note : core.notes) found[{note.owner, note.type}].emplace_back(note.text());
  for (auto& [key, values] : found) std::sort(values.begin(), values.end());
  return found;
}

// Note by note against gcore on the same stopped process; each difference is in the printed table
// with its reason, and an unexplained one fails.
TEST(Notes, AgainstGcore) {
  Dumped dump("tls_vars", {"3"}, true);
  ASSERT_EQ(dump.error, "");
  const std::string pid = std::to_string(dump.target.pid());
  const CommandResult made = run_command({"gcore", "-o", dump.directory.file("gcore"), pid});
  const std::string other = dump.directory.file("gcore") + "." + pid;
  ASSERT_TRUE(std::filesystem::exists(other)) << made.output;
  const auto our_bytes = file_bytes(dump.core), their_bytes = file_bytes(other);
  const auto ours = notes_by_kind(CoreView(our_bytes)),
             theirs = notes_by_kind(CoreView(their_bytes));
  const std::map<NoteKey, const char*> explained = {
      {{"GDB", 0xff000000}, "gdb's own description of its registers; nobody else reads it"},
      {{"CORE", NT_PRPSINFO},
       "gcore leaves pr_flag, pr_nice and the names' tails as it finds them in /proc/PID/stat"},
      {{"CORE", NT_PRFPREG},
       "gcore writes it from its model of the x87, without reserved bytes and the mask of MXCSR"},
      {{"CORE", NT_PRSTATUS},
       "gcore fills in no times, parents or signal masks, and puts a current signal"},
      {{"CORE", NT_SIGINFO},
       "a dump on request has no signal; gcore shows the stop that it caused itself"},
      {{"CORE", NT_FILE}, "gcore lists only what it dumps"},
      {{"LINUX", 0x205}, "layout of XSAVE for other machines; gdb 13 is older than the note"},
      {{"LINUX", 0x202},
       "gcore writes the state as the kernel gives it; unused header bytes may differ"},
      {{"DOPPEL", 0x44504c01}, "our manifest"},
      {{"DOPPEL", 0x44504c02}, "our list of handles"},
  };
  std::printf("| note | ours | gcore's | same | why not |\n|---|--:|--:|---|---|\n");
  std::set<NoteKey> all;
  for (const auto& [key, values] : ours) all.insert(key);
  for (const auto& [key, values] : theirs) all.insert(key);
  for (const NoteKey& key : all) {
    auto mine = ours.find(key), yours = theirs.find(key);
    const std::size_t here = mine == ours.end() ? 0 : mine->second.size();
    const std::size_t there = yours == theirs.end() ? 0 : yours->second.size();
    const bool same = here > 0 && there > 0 && mine->second == yours->second;
    auto reason = explained.find(key);
    std::printf("| %s 0x%x | %zu | %zu | %s | %s |\n", key.first.c_str(), key.second, here, there,
                same ? "yes" : "no",
                same                        ? ""
                : reason == explained.end() ? "UNEXPLAINED"
                                            : reason->second);
    EXPECT_TRUE(same || reason != explained.end()) << key.first << " " << key.second << " differs";
    // What gcore has, we have, save for gdb's own.
    const bool needed = key.first != "GDB" && key.second != NT_SIGINFO;
    EXPECT_TRUE(!needed || here >= there) << key.first << " " << key.second;
  }
  // Registers themselves: pr_reg of each thread by its id.
  auto registers_of = [](const CoreView& core) {
    std::map<std::uint32_t, std::string> found;
    for (const NoteView& note : core.notes)
      if (note.owner == "CORE" && note.type == NT_PRSTATUS)
        found[read_at<std::uint32_t>(note.descriptor, 32)] =
            std::string(note.text().substr(112, 27 * 8));
    return found;
  };
  EXPECT_EQ(registers_of(CoreView(our_bytes)), registers_of(CoreView(their_bytes)));
  ::kill(dump.target.pid(), SIGCONT);
  EXPECT_TRUE(dump.target.finish().ok);
}

// One address of each way to stand in a dump, in gdb and in lldb: never a false zero.
TEST(Addresses, OfEachKind) {
  Dumped dump("odd_maps");
  ASSERT_EQ(dump.error, "");

  struct Probe {
    const char* name;
    std::uint64_t page;
    std::string expected;  ///< the word in hexadecimal; "" must be an error, "?" may be either but
                           ///< never zero
  };

  auto word = [](std::uint64_t kind, std::uint64_t page) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%016lx", kind << 32 | page * 4096);
    return std::string(text);
  };
  std::vector<Probe> probes = {{"plain", 3, word(1, 3)},
                               {"dont_dump", 2, ""},
                               {"dont_fork", 2, "?"},
                               {"wipe_on_fork", 2, "?"},
                               {"shared_anonymous", 4, word(5, 4)},
                               {"shared_memfd", 4, word(6, 4)},
                               {"sysv", 4, word(8, 4)},
                               {"private_written", 2, word(15, 2)},
                               {"sparse", 0, word(16, 0)},
                               {"sparse", 1500, "0x0000000000000000"},
                               {"zero_touched", 3, "0x0000000000000000"},
                               {"locked", 5, word(19, 5)}};
  if (dump.target.fact("secret") != "none") probes.push_back({"secret", 1, ""});
  if (dump.target.fact("guarded") != "none") {
    probes.push_back({"guarded", 4, ""});
    probes.push_back({"guarded", 5, word(11, 5)});
  }
  auto address_of = [&](const Probe& probe) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%lx", dump.target.number(probe.name) + probe.page * 4096);
    return std::string(text);
  };
  for (const Probe& probe : probes) {
    SCOPED_TRACE(std::string(probe.name) + " page " + std::to_string(probe.page));
    const std::string address = address_of(probe);
    const std::string in_gdb =
        run_command({"gdb", "-nx", "-batch", "-ex", "x/1gx " + address, dump.program, dump.core})
            .output;
    const std::string in_lldb =
        run_command({"lldb-19", "-x", "-b", "-o", "memory read --force -f x -s 8 -c 1 " + address,
                     "-c", dump.core, dump.program})
            .output;
    const std::string zero = "0x0000000000000000";
    if (probe.expected.starts_with("0x")) {
      EXPECT_EQ(count(in_gdb, ":\t" + probe.expected), 1u) << in_gdb;
      // lldb 19 knows nothing of a segment without bytes in the file: an error, and no false value.
      const bool honest =
          probe.expected == zero && count(in_lldb, "core file does not contain") == 1;
      EXPECT_TRUE(honest || count(in_lldb, ": " + probe.expected) == 1) << in_lldb;
    } else {
      EXPECT_EQ(count(in_gdb, ":\t" + zero), 0u) << "a false zero: " << in_gdb;
      EXPECT_EQ(count(in_lldb, ": " + zero), 0u) << "a false zero: " << in_lldb;
      if (probe.expected.empty()) {
        EXPECT_EQ(count(in_gdb, "Cannot access memory"), 1u) << in_gdb;
        EXPECT_EQ(count(in_lldb, "error:"), 1u) << in_lldb;
      }
    }
  }
  EXPECT_TRUE(dump.target.finish().ok);
}

}  // namespace
}  // namespace doppel
