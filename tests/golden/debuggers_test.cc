// SPDX-License-Identifier: Apache-2.0
//
// One address of each kind of memory, read in gdb and lldb from a core made by hand. The rule: what
// is not known is never shown as zeros.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/read/open_dump.h>
#include <tests/golden/core_file.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>
#include <tests/support/run_command.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kZeros = 0x10000000;
constexpr std::uint64_t kUntouched = 0x20000000;
constexpr std::uint64_t kSharedHole = 0x24000000;
constexpr std::uint64_t kGap = 0x28000000;
constexpr std::uint64_t kFile = 0x30000000;
constexpr std::uint64_t kUnlinked = 0x38000000;
constexpr std::uint64_t kOmitted = 0x40000000;
constexpr std::uint64_t kGuarded = 0x48000000;
constexpr std::uint64_t kFiltered = 0x50000000;
constexpr std::uint64_t kSplit = 0x58000000;
constexpr std::uint64_t kWhole = 0x5c000000;
constexpr std::uint64_t kNowhere = 0x60000000;
constexpr std::uint64_t kStack = 0x7f0000000000;
constexpr std::uint64_t kMiB = 1 << 20;

class Debuggers : public testing::Test {
 protected:
  Debuggers() {
    const std::string file = directory_.file("data.bin");
    write_file(file, std::vector<std::byte>(8192, std::byte{'f'}));
    Region unlinked = file_region(kUnlinked, 0x1000, directory_.file("old.so"));
    unlinked.deleted = true;
    Region omitted = anonymous_region(kOmitted, 0x1000);
    omitted.traits.dont_dump = true;
    Region guarded = anonymous_region(kGuarded, 0x3000);
    guarded.traits.guard = true;
    Region filtered = anonymous_region(kFiltered, 0x1000);
    filtered.traits.huge_tlb = true;
    filtered.sharing = Sharing::shared;  // bit 6, off by default
    ImageBuilder builder;
    builder.region(anonymous_region(kZeros, 0x1000))
        .region(anonymous_region(kUntouched, 2 * kMiB))
        .region(shared_region(kSharedHole, 2 * kMiB))
        .region(anonymous_region(kGap, 0x3000))
        .region(file_region(kFile, 0x2000, file))
        .region(unlinked)
        .region(omitted)
        .region(guarded)
        .region(filtered)
        .region(anonymous_region(kSplit, 3 * kMiB))
        .region(anonymous_region(kWhole, 2 * kMiB))
        .region(anonymous_region(kStack, 0x2000))
        .thread(4711, kStack + 0x1000);
    CpuContext& registers = builder.image().threads[0].registers;
    registers.xsave.assign(832, std::byte{0});
    registers.xsave[464] = std::byte{7};  // XCR0: x87, SSE, AVX
    registers.general.rbx = kSplit + 0x5000;
    registers.general.rcx = kWhole + 0x5000;
    memory_.fill(kZeros, 0x1000, 0)
        .untouched(kUntouched, 2 * kMiB)
        .untouched(kSharedHole, 2 * kMiB)
        .fill(kGap, 0x1000, 'g')
        .untouched(kGap + 0x1000, 0x1000)
        .fill(kGap + 0x2000, 0x1000, 'g')
        .fill(kFile, 0x2000, 'f')
        .fill(kUnlinked, 0x1000, 'u')
        .fill(kOmitted, 0x1000, 'o')
        .fill(kGuarded, 0x1000, 'a')
        .unreadable(kGuarded + 0x1000, 0x1000)
        .fill(kGuarded + 0x2000, 0x1000, 'b')
        .fill(kFiltered, 0x1000, 'h')
        .fill(kSplit, 3 * kMiB, 's')
        .fill(kWhole, 2 * kMiB, 'w')
        .fill(kStack, 0x2000, 't');
    const Result<std::vector<std::byte>> bytes = make_core(builder.build(), memory_);
    EXPECT_TRUE(bytes.has_value());
    if (bytes) write_file(core_, *bytes);
  }

  std::string gdb(std::uint64_t address, const std::string& count = "2") const {
    return run_command({"gdb", "-nx", "-batch", "-ex", "core-file " + core_, "-ex",
                        "x/" + count + "xb " + std::to_string(address)})
        .output;
  }

  std::string lldb(std::uint64_t address, const std::string& count = "2") const {
    return run_command({"lldb-19", "-x", "--batch", "-c", core_, "-o",
                        "memory read -f x -s 1 -c " + count + " " + std::to_string(address)})
        .output;
  }

  const TempDir directory_;
  const std::string core_ = directory_.file("core");
  FakeMemory memory_;
};

TEST_F(Debuggers, ZeroPagesAreZeros) {
  EXPECT_THAT(gdb(kZeros), HasSubstr("0x10000000:\t0x00\t0x00"));
  EXPECT_THAT(lldb(kZeros), HasSubstr("0x10000000: 0x00 0x00"));
}

TEST_F(Debuggers, UntouchedRunIsZerosOrAnError) {
  EXPECT_THAT(gdb(kUntouched + kMiB), HasSubstr("0x20100000:\t0x00\t0x00"));
  EXPECT_THAT(gdb(kSharedHole + kMiB), HasSubstr("0x24100000:\t0x00\t0x00"));
  EXPECT_THAT(lldb(kUntouched + kMiB), HasSubstr("error: core file does not contain 0x20100000"));
}

TEST_F(Debuggers, UntouchedGapIsZerosBetweenItsNeighbours) {
  EXPECT_THAT(gdb(kGap + 0xfff), HasSubstr("0x28000fff:\t0x67\t0x00"));
  EXPECT_THAT(gdb(kGap + 0x1fff), HasSubstr("0x28001fff:\t0x00\t0x67"));
  EXPECT_THAT(lldb(kGap + 0xfff), HasSubstr("0x28000fff: 0x67 0x00"));
}

TEST_F(Debuggers, FileContentsAreReadInTheFile) {
  EXPECT_THAT(gdb(kFile + 0x1000), HasSubstr("0x30001000:\t0x66\t0x66"));
  // lldb reads files of modules only, and this is none.
  EXPECT_THAT(lldb(kFile + 0x1000), HasSubstr("error: core file does not contain"));
}

/// Where the file is not, gdb shows zeros for a header without bytes - the kernel's cores fare no
/// better - but it says which file it misses. lldb and drgn show nothing.
TEST_F(Debuggers, FileThatIsMissingIsNamed) {
  std::filesystem::remove(directory_.file("data.bin"));
  EXPECT_THAT(gdb(kFile), HasSubstr("Can't open file " + directory_.file("data.bin")));
  EXPECT_THAT(lldb(kFile), HasSubstr("error: core file does not contain"));
}

TEST_F(Debuggers, ContentsOfUnlinkedFilesAreInTheDump) {
  EXPECT_THAT(gdb(kUnlinked), HasSubstr("0x38000000:\t0x75\t0x75"));
  EXPECT_THAT(lldb(kUnlinked), HasSubstr("0x38000000: 0x75 0x75"));
}

TEST_F(Debuggers, WhatIsOmittedIsAnError) {
  for (const std::uint64_t address : {kOmitted, kGuarded + 0x1000, kFiltered, kNowhere}) {
    EXPECT_THAT(gdb(address), HasSubstr("Cannot access memory at address"));
    EXPECT_THAT(gdb(address), Not(HasSubstr("\t0x00")));
    EXPECT_THAT(lldb(address), HasSubstr("error: core file does not contain"));
  }
  EXPECT_THAT(gdb(kGuarded), HasSubstr("0x48000000:\t0x61\t0x61"));
  EXPECT_THAT(gdb(kGuarded + 0x2000), HasSubstr("0x48002000:\t0x62\t0x62"));
}

/// Poured in parts, since a register points into the middle of it and it is large.
TEST_F(Debuggers, ReadsAcrossThePartsOfARegion) {
  EXPECT_THAT(gdb(kSplit + 0x3ffe, "4"), HasSubstr("0x73\t0x73\t0x73\t0x73"));
  EXPECT_THAT(gdb(kSplit + 0x7ffe, "4"), HasSubstr("0x73\t0x73\t0x73\t0x73"));
  // lldb 19 stops at the border, and says so; hence small stretches stay whole.
  EXPECT_THAT(lldb(kSplit + 0x3ffe, "4"), HasSubstr("Not all bytes (2/4) were able to be read"));
  EXPECT_THAT(lldb(kSplit + 0x4000, "4"), HasSubstr("0x73 0x73 0x73 0x73"));
  EXPECT_THAT(lldb(kWhole + 0x3ffe, "4"), HasSubstr("0x77 0x77 0x77 0x77"));
}

TEST_F(Debuggers, DrgnReadsTheSame) {
  const std::string script = directory_.file("read.py");
  std::ofstream(script) << "import drgn, sys\n"
                           "program = drgn.Program()\n"
                           "program.set_core_dump(sys.argv[1])\n"
                           "for address in sys.argv[2:]:\n"
                           "    try:\n"
                           "        print(address, program.read(int(address, 16), 2).hex())\n"
                           "    except drgn.FaultError:\n"
                           "        print(address, 'fault')\n";
  const CommandResult drgn =
      run_command({"/usr/bin/python3", script, core_, "0x10000000", "0x20100000", "0x28000fff",
                   "0x38000000", "0x40000000", "0x48001000", "0x58003fff", "0x60000000"});
  if (drgn.output.find("No module named") != std::string::npos) GTEST_SKIP() << drgn.output;
  EXPECT_EQ(drgn.output,
            "0x10000000 0000\n0x20100000 fault\n0x28000fff 6700\n0x38000000 7575\n"
            "0x40000000 fault\n0x48001000 fault\n0x58003fff 7373\n0x60000000 fault\n");
}

TEST_F(Debuggers, DoppelReadsTheSame) {
  const Result<Snapshot> snapshot = open_dump(core_);
  ASSERT_TRUE(snapshot.has_value());
  const auto read = [&](std::uint64_t address) -> std::string {
    std::array<std::byte, 2> bytes{};
    const Result<std::size_t> got = snapshot->memory->read(Address{address}, bytes);
    if (!got) return got.error().code == Errc::unmapped ? "nothing" : "error";
    return {reinterpret_cast<const char*>(bytes.data()), *got};
  };
  const std::string zeros(2, '\0');
  EXPECT_EQ(read(kZeros), zeros);
  EXPECT_EQ(read(kUntouched + kMiB), zeros);
  EXPECT_EQ(read(kSharedHole + kMiB), zeros);
  EXPECT_EQ(read(kGap + 0xfff), std::string("g\0", 2));
  EXPECT_EQ(read(kUnlinked), "uu");
  EXPECT_EQ(read(kSplit + 0x3fff), "ss");
  for (const std::uint64_t missing : {kFile, kOmitted, kGuarded + 0x1000, kFiltered, kNowhere}) {
    EXPECT_EQ(read(missing), "nothing") << std::hex << missing;
  }
}

TEST_F(Debuggers, ThreadsAndProcess) {
  const std::string gdb_said =
      run_command({"gdb", "-nx", "-batch", "-ex", "core-file " + core_, "-ex", "info threads",
                   "-ex", "info registers rsp rbx", "-ex", "info proc"})
          .output;
  EXPECT_THAT(gdb_said, HasSubstr("Core was generated by `server --port 80'"));
  EXPECT_THAT(gdb_said, Not(HasSubstr("terminated with signal")));
  EXPECT_THAT(gdb_said, HasSubstr("LWP 17"));
  EXPECT_THAT(gdb_said, HasSubstr("rsp            0x7f0000001000"));
  EXPECT_THAT(gdb_said, HasSubstr("rbx            0x58005000"));
  const std::string lldb_said = run_command({"lldb-19", "-x", "--batch", "-c", core_, "-o",
                                             "thread list", "-o", "register read rsp rbx"})
                                    .output;
  EXPECT_THAT(lldb_said, HasSubstr("tid = 17"));
  EXPECT_THAT(lldb_said, HasSubstr("rsp = 0x00007f0000001000"));
  EXPECT_THAT(lldb_said, HasSubstr("rbx = 0x0000000058005000"));
}

}  // namespace
}  // namespace doppel
