// SPDX-License-Identifier: Apache-2.0
//
// Images of NT processes: what differs from Linux ones, against minidumpapiset.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dumpwriter/formats.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>
#include <tests/support/minidump_view.h>
#include <tests/support/pour.h>

namespace doppel {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kImage = 0x140000000;
constexpr std::uint64_t kStack = 0x200000;

ProcessImage sample(FakeMemory& memory) {
  ImageBuilder builder;
  builder.thread(8, kStack + 0x1f00, kImage + 0x1010);
  ProcessImage& image = builder.image();
  image.process.pid = 4;
  image.process.user_time_us = 2'500'000;
  image.process.coredump_filter = 0x1ff;
  image.process.windows = WindowsProcess{.major = 10,
                                         .minor = 0,
                                         .build = 19041,
                                         .service_pack = "",
                                         .processors = 2,
                                         .created_at = 77,
                                         .comment = "profile Nt63, seed 1"};
  Thread& thread = image.threads[0];
  thread.windows = WindowsThread{
      .suspend_count = 1, .teb = {0x7ff700001000}, .start = {kImage + 0x1000}, .affinity = 3};
  Region text = file_region(kImage, 0x2000, "C:\\guests\\counter.exe");
  text.access.execute = true;
  text.windows = WindowsRegion{.allocation_base = {kImage},
                               .allocation_protect = 0x80,
                               .state = 0x1000,
                               .protect = 0x20,
                               .type = 0x1000000};
  Region stack = anonymous_region(kStack, 0x2000);
  stack.windows = WindowsRegion{.allocation_base = {0x100000},
                                .allocation_protect = 4,
                                .state = 0x1000,
                                .protect = 4,
                                .type = 0x20000};
  Region reserve = anonymous_region(0x100000, 0x100000);
  reserve.access = {};
  reserve.windows = WindowsRegion{
      .allocation_base = {0x100000}, .allocation_protect = 4, .state = 0x2000, .protect = 0};
  builder.region(text).region(stack).region(reserve);
  memory.fill(kImage, 0x2000, 1).fill(kStack, 0x2000, 2).unreadable(0x100000, 0x100000);
  WindowsModule pe{.checksum = 5, .time_stamp = 6, .pdb_age = 1, .pdb_path = "counter.pdb"};
  pe.pdb_guid[0] = std::byte{0xab};
  image.modules = {{.range = {{kImage}, 0x2000},
                    .path = "C:\\guests\\counter.exe",
                    .build_id = {},
                    .windows = pe}};
  image.handles = {
      {.number = 0x24,
       .kind = "File",
       .target = "\\Device\\a.txt",
       .windows = WindowsHandle{
           .attributes = 2, .access = 0x120089, .handle_count = 1, .pointer_count = 7}}};
  CpuContext at_fault = thread.registers;
  at_fault.general.rip = kImage + 0x1234;
  image.fault = Fault{.thread = 8,
                      .number = 0xc0000005,
                      .code = 0,
                      .address = {kImage + 0x1234},
                      .siginfo = {},
                      .parameters = {1, 0x18},
                      .registers = at_fault};
  return builder.build();
}

class WindowsMinidump : public testing::Test {
 protected:
  void SetUp() override {
    FakeMemory memory;
    const ProcessImage image = sample(memory);
    const auto selection = select(image, memory);
    ASSERT_TRUE(selection.has_value());
    EXPECT_TRUE(selection->omissions.empty()) << selection->omissions.front().why;
    const auto plan = find_format("minidump")->plan(image, *selection);
    ASSERT_TRUE(plan.has_value());
    auto made = pour(*plan, memory);
    ASSERT_TRUE(made.has_value());
    file_ = std::move(*made);
    view_.emplace(file_);
  }

  std::vector<std::byte> file_;
  std::optional<MinidumpView> view_;
};

TEST_F(WindowsMinidump, IsOfWindows) {
  EXPECT_EQ(view_->u64(24), 0x21806u);
  const auto system = view_->stream(7);
  EXPECT_EQ(view_->u16(system.offset + 2), 6u);
  EXPECT_EQ(view_->u32(system.offset + 16), 19041u);
  EXPECT_EQ(view_->u32(system.offset + 20), 2u);
  const auto misc = view_->stream(15);
  EXPECT_EQ(view_->u32(misc.offset + 4), 3u);
  EXPECT_EQ(view_->u32(misc.offset + 8), 4u);
  EXPECT_EQ(view_->u32(misc.offset + 12), 77u);
  EXPECT_EQ(view_->u32(misc.offset + 16), 2u);
  EXPECT_THAT(view_->stream_text(10), HasSubstr("profile Nt63, seed 1\n"));
  for (const std::uint32_t absent : {0x47670004u, 0x47670009u, 0x44504c03u})
    EXPECT_FALSE(view_->has(absent)) << absent;
  EXPECT_TRUE(view_->has(5)) << "minidump_dump asks for it";
}

TEST_F(WindowsMinidump, Threads) {
  const auto list = view_->stream(3);
  const std::size_t at = list.offset + 4;
  EXPECT_EQ(view_->u32(at), 8u);
  EXPECT_EQ(view_->u32(at + 4), 1u);
  EXPECT_EQ(view_->u32(at + 8), 0x20u);
  EXPECT_EQ(view_->u32(at + 12), 8u);
  EXPECT_EQ(view_->u64(at + 16), 0x7ff700001000u);
  EXPECT_EQ(view_->u64(at + 24), kStack + 0x1000);
  EXPECT_EQ(view_->text(view_->u32(at + 36), view_->u32(at + 32)), std::string(0x1000, '\2'));
  const auto info = view_->stream(17);
  EXPECT_EQ(info.size, 12 + 64u);
  EXPECT_EQ(view_->u32(info.offset), 12u);
  EXPECT_EQ(view_->u32(info.offset + 4), 64u);
  EXPECT_EQ(view_->u32(info.offset + 12), 8u);
  EXPECT_EQ(view_->u32(info.offset + 12 + 12), 0x103u);
  EXPECT_EQ(view_->u64(info.offset + 12 + 48), kImage + 0x1000);
  EXPECT_EQ(view_->u64(info.offset + 12 + 56), 3u);
}

TEST_F(WindowsMinidump, ExceptionHasTheContextAtTheFault) {
  const auto stream = view_->stream(6);
  EXPECT_EQ(view_->u32(stream.offset + 8), 0xc0000005u);
  EXPECT_EQ(view_->u64(stream.offset + 24), kImage + 0x1234);
  EXPECT_EQ(view_->u32(stream.offset + 32), 2u);
  EXPECT_EQ(view_->u64(stream.offset + 40), 1u);
  EXPECT_EQ(view_->u64(stream.offset + 48), 0x18u);
  EXPECT_EQ(view_->u64(view_->u32(stream.offset + 164) + 248), kImage + 0x1234);
  const auto list = view_->stream(3);
  EXPECT_EQ(view_->u64(view_->u32(list.offset + 4 + 44) + 248), kImage + 0x1010);
}

TEST_F(WindowsMinidump, ModuleNamesItsPdb) {
  const std::size_t at = view_->stream(4).offset + 4;
  EXPECT_EQ(view_->u32(at + 12), 5u);
  EXPECT_EQ(view_->u32(at + 16), 6u);
  EXPECT_EQ(view_->u32(at + 24), 0xfeef04bdu);
  const std::string record = view_->text(view_->u32(at + 80), view_->u32(at + 76));
  EXPECT_EQ(record, std::string("RSDS\xab", 5) + std::string(15, '\0') +
                        std::string("\1\0\0\0counter.pdb\0", 16));
}

TEST_F(WindowsMinidump, MemoryInfoHasNoGaps) {
  const auto info = view_->stream(16);
  std::uint64_t next = 0;
  std::vector<std::uint32_t> states;
  for (std::uint64_t i = 0; i < view_->u64(info.offset + 8); ++i) {
    const std::size_t at = info.offset + 16 + 48 * i;
    EXPECT_EQ(view_->u64(at), next);
    next += view_->u64(at + 24);
    states.push_back(view_->u32(at + 32));
  }
  EXPECT_THAT(states, testing::ElementsAre(0x10000, 0x2000, 0x1000, 0x10000, 0x1000, 0x10000));
  EXPECT_EQ(next, 0x7ffffffe0000u);
}

TEST_F(WindowsMinidump, HandlesAsTheyWereGranted) {
  const std::size_t at = view_->stream(12).offset + 16;
  EXPECT_EQ(view_->u64(at), 0x24u);
  EXPECT_EQ(view_->string(view_->u32(at + 8)), "File");
  EXPECT_EQ(view_->string(view_->u32(at + 12)), "\\Device\\a.txt");
  EXPECT_EQ(view_->u32(at + 16), 2u);
  EXPECT_EQ(view_->u32(at + 20), 0x120089u);
  EXPECT_EQ(view_->u32(at + 28), 7u);
}

TEST_F(WindowsMinidump, MemoryIsInTheOrderOfAddresses) {
  const auto wide = view_->stream(9);
  EXPECT_EQ(view_->u64(wide.offset), 2u);
  EXPECT_EQ(view_->u64(wide.offset + 16), kStack);
  EXPECT_EQ(view_->u64(wide.offset + 32), kImage);
}

}  // namespace
}  // namespace doppel
