// SPDX-License-Identifier: Apache-2.0
//
// Our notes beside gcore's. gcore takes a core of a small process; its registers, memory and maps,
// laid out by us, make a second core of the very same state. Each difference in a note must be one
// of those that docs/formats/elf-core.md explains, and debuggers must tell the two apart in
// nothing.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/procfs.h>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <thread>

#include <tests/golden/core_file.h>
#include <tests/support/core_view.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>
#include <tests/support/run_command.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using testing::HasSubstr;

constexpr const char* kProgram = "/usr/bin/sleep";

/// A process that sleeps, ours to end.
class Sleeper {
 public:
  Sleeper() : pid_(::fork()) {
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // goes with a test that dies
      ::execl(kProgram, "sleep", "1000", nullptr);
      ::_exit(127);
    }
    // Until the program runs and has nothing left to do: the kernel's own word for it.
    while (pid_ > 0 && !sleeps()) std::this_thread::yield();
  }

  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

  std::string read(const char* name) const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  bool sleeps() const { return read("stat").find("(sleep) S ") != std::string::npos; }

  pid_t pid_;
};

std::vector<std::byte> copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

Region parse_region(const std::string& line) {
  std::uint64_t begin = 0, end = 0, offset = 0, inode = 0;
  unsigned major = 0, minor = 0;
  char access[5] = {};
  int path = 0;
  if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
                  &begin, &end, access, &offset, &major, &minor, &inode, &path) < 7) {
    ADD_FAILURE() << line;
  }
  Region region = anonymous_region(begin, end - begin, line.substr(static_cast<std::size_t>(path)));
  region.access = {
      .read = access[0] == 'r', .write = access[1] == 'w', .execute = access[2] == 'x'};
  region.sharing = access[3] == 's' ? Sharing::shared : Sharing::private_copy;
  region.file_offset = offset;
  region.inode = inode;
  if (inode != 0) region.backing = Backing::file;
  if (region.path == "[vdso]") region.backing = Backing::vdso;
  if (region.path == "[vsyscall]") region.backing = Backing::vsyscall;
  if (region.path.starts_with("[vvar")) region.backing = Backing::vvar;
  return region;
}

/// The state that gcore saw, as an image and memory of ours.
ProcessImage rebuild(const CoreView& gcore, const Sleeper& process, const std::string& maps,
                     FakeMemory& memory) {
  for (const Elf64_Phdr& load : gcore.loads) {
    // gcore writes zeros where it could not read this page.
    if (load.p_vaddr == 0xffffffffff600000) continue;
    if (load.p_filesz > 0) memory.put(load.p_vaddr, load.p_filesz, gcore.bytes(load));
  }
  ImageBuilder builder;
  ProcessInfo& info = builder.image().process;
  info.pid = info.namespace_pid = process.pid();
  info.comm = "sleep";
  info.arguments = {"sleep", "1000"};
  info.executable = kProgram;
  for (const NoteView& note : gcore.notes) {
    if (note.owner == "CORE" && note.type == NT_PRSTATUS) {
      const auto status = read_at<prstatus_t>(note.descriptor, 0);
      builder.thread(status.pr_pid);
      std::memcpy(static_cast<void*>(&builder.image().threads.back().registers.general),
                  &status.pr_reg, sizeof status.pr_reg);
    }
    if (note.type == NT_AUXV) builder.verbatim("auxv", copy(note.descriptor));
    if (builder.image().threads.empty()) continue;  // gcore puts NT_PRPSINFO first
    CpuContext& registers = builder.image().threads.back().registers;
    if (note.owner == "CORE" && note.type == NT_PRFPREG) registers.fxsave = copy(note.descriptor);
    if (note.owner == "LINUX" && note.type == NT_X86_XSTATE)
      registers.xsave = copy(note.descriptor);
  }
  std::istringstream lines(maps);
  for (std::string line; std::getline(lines, line);) {
    Region region = parse_region(line);
    // gcore took what was written; so does the filter, once it knows.
    std::array<std::byte, 1> byte{};
    const bool kept = memory.read(region.range.begin, byte).has_value();
    if (region.backing == Backing::file && region.access.write && kept) region.anonymous = 4096;
    builder.region(region);
  }
  return builder.build();
}

const NoteView* find(const std::vector<NoteView>& notes, std::string_view owner,
                     std::uint32_t type) {
  for (const NoteView& note : notes) {
    if (note.owner == owner && note.type == type) return &note;
  }
  return nullptr;
}

class Gcore : public testing::Test {
 protected:
  void SetUp() override {
    const CommandResult made =
        run_command({"gcore", "-o", directory_.file("gcore"), std::to_string(process_.pid())});
    const std::string path = directory_.file("gcore") + "." + std::to_string(process_.pid());
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (made.exit != 0 || bytes.empty()) {
      if (std::getenv("DOPPEL_REQUIRE_LIVE") != nullptr) FAIL() << made.output;
      GTEST_SKIP() << "gcore cannot take a core here: " << made.output;
    }
    theirs_path_ = path;
    theirs_ = copy(std::as_bytes(std::span(bytes)));
    FakeMemory memory;
    const ProcessImage image = rebuild(CoreView(theirs_), process_, process_.read("maps"), memory);
    const Result<std::vector<std::byte>> core = make_core(image, memory);
    ASSERT_TRUE(core.has_value());
    ours_ = *core;
    write_file(ours_path_, ours_);
  }

  const TempDir directory_;
  const Sleeper process_;
  std::string theirs_path_;
  const std::string ours_path_ = directory_.file("doppel");
  std::vector<std::byte> theirs_;
  std::vector<std::byte> ours_;
};

TEST_F(Gcore, NotesAgreeSaveForWhatIsExplained) {
  const CoreView theirs(theirs_);
  const CoreView ours(ours_);

  struct Row {
    const char* owner;
    std::uint32_t type;
    const char* name;
    bool same;  ///< byte for byte
    const char* why;
  };

  const Row rows[] = {
      {"CORE", NT_PRSTATUS, "NT_PRSTATUS", false,
       "registers equal; ids, times, pr_fpvalid: gcore has 0"},
      {"CORE", NT_PRPSINFO, "NT_PRPSINFO", false,
       "gcore: first in the file, psargs cut to the program"},
      {"CORE", NT_SIGINFO, "NT_SIGINFO", false, "gcore: its own SIGSTOP; doppel: none"},
      {"CORE", NT_AUXV, "NT_AUXV", true, ""},
      {"CORE", NT_FILE, "NT_FILE", false, "gcore: bytes as pages of size 1; doppel: pages of 4096"},
      {"CORE", NT_PRFPREG, "NT_PRFPREG", true, ""},
      {"LINUX", NT_X86_XSTATE, "NT_X86_XSTATE", true, ""},
  };
  std::cout << "note             gcore  doppel  difference\n";
  for (const Row& row : rows) {
    const NoteView* a = find(theirs.notes, row.owner, row.type);
    const NoteView* b = find(ours.notes, row.owner, row.type);
    ASSERT_NE(a, nullptr) << row.name;
    ASSERT_NE(b, nullptr) << row.name;
    EXPECT_EQ(a->descriptor.size(), b->descriptor.size()) << row.name;
    if (row.same) {
      EXPECT_EQ(copy(a->descriptor), copy(b->descriptor)) << row.name;
    }
    std::printf("%-15s %6zu  %6zu  %s\n", row.name, a->descriptor.size(), b->descriptor.size(),
                row.same ? "none" : row.why);
  }
  std::fflush(stdout);
  // What either has and the other has not.
  for (const NoteView& note : theirs.notes) {
    if (note.owner != "GDB") {
      EXPECT_NE(find(ours.notes, note.owner, note.type), nullptr) << note.owner << ' ' << note.type;
    }
  }
  for (const NoteView& note : ours.notes) {
    if (note.owner != "DOPPEL") {
      EXPECT_NE(find(theirs.notes, note.owner, note.type), nullptr)
          << note.owner << ' ' << note.type;
    }
  }

  const auto status = [](const CoreView& core) {
    return read_at<prstatus_t>(find(core.notes, "CORE", NT_PRSTATUS)->descriptor, 0);
  };
  const prstatus_t a = status(theirs);
  const prstatus_t b = status(ours);
  EXPECT_EQ(a.pr_pid, b.pr_pid);
  EXPECT_EQ(std::memcmp(&a.pr_reg, &b.pr_reg, sizeof a.pr_reg), 0);
  EXPECT_EQ(b.pr_fpvalid, 1);

  // NT_FILE: the same files at the same places, whatever the unit.
  struct File {
    std::uint64_t begin, end, offset;
    std::string path;
    bool operator==(const File&) const = default;
  };

  const auto files = [](const CoreView& core) {
    const auto bytes = find(core.notes, "CORE", NT_FILE)->descriptor;
    const auto count = read_at<std::uint64_t>(bytes, 0);
    const auto page = read_at<std::uint64_t>(bytes, 8);
    const char* name = reinterpret_cast<const char*>(bytes.data()) + 16 + count * 24;
    std::vector<File> result;
    for (std::uint64_t i = 0; i < count; ++i) {
      result.push_back({read_at<std::uint64_t>(bytes, 16 + i * 24),
                        read_at<std::uint64_t>(bytes, 24 + i * 24),
                        read_at<std::uint64_t>(bytes, 32 + i * 24) * page, name});
      name += result.back().path.size() + 1;
    }
    return result;
  };
  EXPECT_TRUE(files(theirs) == files(ours));
}

TEST_F(Gcore, GdbTellsTheTwoApartInNothing) {
  const auto said = [&](const std::string& core) {
    std::string output = run_command({"gdb",
                                      "-nx",
                                      "-batch",
                                      "-ex",
                                      "set width 0",
                                      "-ex",
                                      std::string("file ") + kProgram,
                                      "-ex",
                                      "core-file " + core,
                                      "-ex",
                                      "echo ==\\n",
                                      "-ex",
                                      "backtrace",
                                      "-ex",
                                      "info all-registers",
                                      "-ex",
                                      "info auxv",
                                      "-ex",
                                      "info proc mappings",
                                      "-ex",
                                      "info sharedlibrary",
                                      "-ex",
                                      "x/16gx $rsp",
                                      "-ex",
                                      "x/4i $pc"})
                             .output;
    return output.substr(std::min(output.size(), output.find("==\n")));
  };
  const std::string ours = said(ours_path_);
  EXPECT_THAT(ours, HasSubstr("#0"));
  EXPECT_THAT(ours, HasSubstr("libc.so.6"));
  EXPECT_THAT(ours, HasSubstr("AT_ENTRY"));
  EXPECT_EQ(ours, said(theirs_path_));
}

TEST_F(Gcore, OthersWalkTheStack) {
  const CommandResult stack = run_command({"eu-stack", "--core", ours_path_, "-e", kProgram});
  EXPECT_THAT(stack.output, HasSubstr("clock_nanosleep"));
  const CommandResult lldb =
      run_command({"lldb-19", "-x", "--batch", "-c", ours_path_, kProgram, "-o", "bt"});
  EXPECT_THAT(lldb.output, HasSubstr("clock_nanosleep"));
  EXPECT_THAT(lldb.output, HasSubstr("__libc_start_main"));
}

}  // namespace
}  // namespace doppel
