// SPDX-License-Identifier: Apache-2.0
//
// What readers that we did not write say of our cores, word for word. To accept a change on
// purpose: DOPPEL_UPDATE_GOLDEN=1, and look at the difference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <tests/golden/compare.h>
#include <tests/golden/core_file.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>
#include <tests/support/run_command.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kBase = 0x10000000;
constexpr std::uint64_t kStack = 0x7f0000000000;
constexpr std::uint64_t kMiB = 1 << 20;

/// A bit of everything.
ProcessImage sample(FakeMemory& memory) {
  ImageBuilder builder;
  builder.thread(4711, kStack + 0x1100, kBase + 0x10).thread(4713, kStack + 0x11800, kBase + 0x20);
  std::uint64_t value = 0x1001;
  for (Thread& thread : builder.image().threads) {
    X86_64Registers& registers = thread.registers.general;
    for (std::uint64_t* each : {&registers.rax, &registers.rbx, &registers.rcx, &registers.r15}) {
      *each = value++;
    }
    registers.orig_rax = 230;
    registers.eflags = 0x246;
    thread.registers.xsave.assign(832, std::byte{0});
    thread.registers.xsave[464] = std::byte{7};  // XCR0: x87, SSE, AVX
    thread.signals_blocked = 1u << 14;
    thread.user_time_us = 1'234'567;
  }
  builder.image().process.user_time_us = 2'469'134;
  std::vector<std::byte> auxv(32);
  auxv[0] = std::byte{6};  // AT_PAGESZ
  auxv[9] = std::byte{0x10};
  builder.verbatim("auxv", auxv);

  Region text = file_region(kBase, 0x4000, "/usr/bin/server");
  text.access.execute = true;
  Region secret = anonymous_region(0x40000000, 0x1000);
  secret.traits.dont_dump = true;
  Region vdso = anonymous_region(0x7fff00000000, 0x1000, "[vdso]");
  vdso.backing = Backing::vdso;
  vdso.access = {.read = true, .write = false, .execute = true};
  builder.region(text)
      .region(anonymous_region(0x20000000, 4 * kMiB, "[heap]"))
      .region(shared_region(0x30000000, 0x2000))
      .region(secret)
      .region(anonymous_region(kStack, 0x2000))
      .region(anonymous_region(kStack + 0x10000, 0x2000))
      .region(vdso);
  memory
      .put(kBase, 0x4000,
           "\x7f"
           "ELF")
      .fill(0x20000000, 0x3000, 1)
      .untouched(0x20003000, 4 * kMiB - 0x3000)
      .fill(0x30000000, 0x2000, 2)
      .fill(kStack, 0x2000, 3)
      .fill(kStack + 0x10000, 0x2000, 4)
      .fill(0x7fff00000000, 0x1000, 5);
  return builder.build();
}

TEST(Readers, EuReadelfAndLlvmReadelf) {
  const TempDir directory;
  const std::string core = directory.file("core");
  FakeMemory memory;
  const Result<std::vector<std::byte>> bytes = make_core(sample(memory), memory);
  ASSERT_TRUE(bytes.has_value());
  write_file(core, *bytes);

  const CommandResult notes = run_command({"eu-readelf", "-n", core});
  EXPECT_EQ(notes.exit, 0);
  // The manifest's size hangs on nothing but its text, which has tests of its own.
  compare("core_notes.txt", notes.output);
  const CommandResult segments = run_command({"llvm-readelf-19", "-h", "-l", core});
  EXPECT_EQ(segments.exit, 0);
  compare("core_segments.txt", segments.output);
}

/// PN_XNUM as others count it. (LLVM 19 does not know it: fixed in LLVM 22.)
TEST(Readers, SeventyThousandSegments) {
  const TempDir directory;
  const std::string core = directory.file("core");
  ImageBuilder builder;
  builder.thread(4711);
  FakeMemory memory;
  for (std::uint64_t i = 0; i < 70000; ++i) {
    builder.region(anonymous_region(kBase + i * 0x2000, 0x1000));
    memory.untouched(kBase + i * 0x2000, 0x1000);
  }
  builder.region(anonymous_region(kStack, 0x1000));
  memory.put(kStack, 0x1000, "the last one");
  SelectionPolicy policy;
  policy.zero_run = 0x1000;
  const Result<std::vector<std::byte>> bytes = make_core(builder.build(), memory, policy);
  ASSERT_TRUE(bytes.has_value());
  write_file(core, *bytes);

  const auto count_loads = [](const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("\n  LOAD "); at != std::string::npos;
         at = text.find("\n  LOAD ", at + 1)) {
      ++count;
    }
    return count;
  };
  EXPECT_EQ(count_loads(run_command({"eu-readelf", "-l", core}).output), 70001u);
  EXPECT_EQ(count_loads(run_command({"readelf", "-l", "-W", core}).output), 70001u);
  const CommandResult gdb = run_command(
      {"gdb", "-nx", "-batch", "-ex", "core-file " + core, "-ex", "x/s 0x7f0000000000"});
  EXPECT_THAT(gdb.output, HasSubstr("\"the last one\""));
}

}  // namespace
}  // namespace doppel
