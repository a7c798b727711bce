// SPDX-License-Identifier: Apache-2.0
//
// What readers that we did not write say of our minidumps, of a Linux and of an NT image. To accept
// a change on purpose: DOPPEL_UPDATE_GOLDEN=1, and look at the difference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <tests/golden/compare.h>
#include <tests/golden/core_file.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>
#include <tests/support/run_command.h>
#include <tests/support/temp_dir.h>

namespace doppel {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kText = 0x140000000;
constexpr std::uint64_t kStack = 0x7ff0000000;

ProcessImage linux_image(FakeMemory& memory) {
  ImageBuilder builder;
  builder.thread(4711, kStack + 0xf00, kText + 0x10).thread(4713, kStack + 0xf80, kText + 0x20);
  std::uint64_t value = 0x1001;
  for (Thread& thread : builder.image().threads) {
    X86_64Registers& registers = thread.registers.general;
    for (std::uint64_t* each : {&registers.rax, &registers.rbx, &registers.rcx, &registers.r15}) {
      *each = value++;
    }
    registers.eflags = 0x246;
  }
  builder.image().process.captured_at_ns = 1'700'000'000'000'000'000;
  Region text = file_region(kText, 0x1000, "/usr/bin/server");
  text.access.execute = true;
  builder.region(text)
      .region(anonymous_region(kStack, 0x1000, "[stack]"))
      .verbatim("auxv", std::vector<std::byte>(16, std::byte{0}));
  builder.image().modules = {{.range = {{kText}, 0x1000},
                              .path = "/usr/bin/server",
                              .build_id = {std::byte{0xab}, std::byte{0xcd}}}};
  builder.image().handles = {{.number = 3, .kind = "pipe", .target = "pipe:[7]"}};
  builder.image().fault =
      Fault{.thread = 4713, .number = 11, .code = 1, .address = {0x18}, .siginfo = {}};
  memory.put(kText, 0x1000, "\x90\x90").put(kStack, 0x1000, "the stack");
  return builder.build();
}

ProcessImage nt_image(FakeMemory& memory) {
  ProcessImage image = linux_image(memory);
  image.verbatim.clear();
  image.process.coredump_filter = 0x1ff;
  image.process.windows = WindowsProcess{.build = 9600, .comment = "seed 1"};
  for (Thread& thread : image.threads) thread.windows = WindowsThread{.teb = {0x7ff700001000}};
  image.regions[0].windows = WindowsRegion{
      .allocation_base = {kText}, .allocation_protect = 0x80, .protect = 0x20, .type = 0x1000000};
  image.regions[0].path = "C:\\guests\\counter.exe";
  image.regions[1].windows =
      WindowsRegion{.allocation_base = {kStack}, .allocation_protect = 4, .protect = 4};
  image.modules[0].path = "C:\\guests\\counter.exe";
  image.modules[0].windows = WindowsModule{.time_stamp = 7, .pdb_age = 1, .pdb_path = "c.pdb"};
  image.handles[0].windows = WindowsHandle{.access = 0x1f0003, .handle_count = 1};
  image.fault->number = 0xc0000005;
  image.fault->code = 0;
  image.fault->address = {kText + 0x20};
  image.fault->parameters = {0, 0x18};
  return image;
}

std::string write_minidump(const TempDir& directory, const ProcessImage& image,
                           const Memory& memory) {
  const std::string path = directory.file("dump.dmp");
  const auto selection = select(image, memory);
  EXPECT_TRUE(selection.has_value());
  const auto plan = find_format("minidump")->plan(image, *selection);
  EXPECT_TRUE(plan.has_value());
  const auto bytes = pour(*plan, memory);
  EXPECT_TRUE(bytes.has_value());
  write_file(path, *bytes);
  return path;
}

/// Without our own streams, whose texts have tests of their own, and with long contents cut.
std::string shortened(const std::string& yaml) {
  std::istringstream lines(yaml);
  std::string out;
  bool ours = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  - Type:")) ours = line.find("0x44504C") != line.npos;
    if (ours) continue;
    constexpr std::size_t kMost = 700;
    if (line.size() > kMost) line = line.substr(0, kMost) + "...";
    out += line + "\n";
  }
  return out;
}

TEST(Minidump, Obj2yamlOfLinux) {
  const TempDir directory;
  FakeMemory memory;
  const ProcessImage image = linux_image(memory);
  const CommandResult yaml = run_command({"obj2yaml-19", write_minidump(directory, image, memory)});
  EXPECT_EQ(yaml.exit, 0) << yaml.output;
  compare("minidump_linux.yaml", shortened(yaml.output));
}

TEST(Minidump, Obj2yamlOfNt) {
  const TempDir directory;
  FakeMemory memory;
  const ProcessImage image = nt_image(memory);
  const CommandResult yaml = run_command({"obj2yaml-19", write_minidump(directory, image, memory)});
  EXPECT_EQ(yaml.exit, 0) << yaml.output;
  compare("minidump_nt.yaml", shortened(yaml.output));
}

TEST(Minidump, LldbOfNt) {
  const TempDir directory;
  FakeMemory memory;
  const ProcessImage image = nt_image(memory);
  const CommandResult said =
      run_command({"lldb-19", "-x", "-b", "-c", write_minidump(directory, image, memory), "-o",
                   "process status", "-o", "thread list", "-o", "register read rip rsp rax r15",
                   "-o", "memory region 0x140000000", "-o", "memory region 0x7ff0000000", "-o",
                   "memory read -f s 0x7ff0000000", "-o", "image list"});
  EXPECT_THAT(said.output, HasSubstr("Process 4711 stopped"));
  EXPECT_THAT(said.output, HasSubstr("Exception 0xc0000005 encountered at address 0x140000020"));
  EXPECT_THAT(said.output, HasSubstr("* thread #2"));
  EXPECT_THAT(said.output, HasSubstr("rip = 0x0000000140000020"));
  EXPECT_THAT(said.output, HasSubstr("rsp = 0x0000007ff0000f80"));
  EXPECT_THAT(said.output, HasSubstr("rax = 0x0000000000001005"));
  EXPECT_THAT(said.output, HasSubstr("r15 = 0x0000000000001008"));
  EXPECT_THAT(said.output, HasSubstr("[0x0000000140000000-0x0000000140001000) r-x"));
  EXPECT_THAT(said.output, HasSubstr("[0x0000007ff0000000-0x0000007ff0001000) rw-"));
  EXPECT_THAT(said.output, HasSubstr("\"the stack\""));
  EXPECT_THAT(said.output, HasSubstr("counter.exe"));
}

}  // namespace
}  // namespace doppel
