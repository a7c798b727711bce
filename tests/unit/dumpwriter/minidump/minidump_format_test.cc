// SPDX-License-Identifier: Apache-2.0
//
// Linux images: every stream against the offsets of minidumpapiset.h and Breakpad's
// minidump_format.h, read by a reader of the tests' own.
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
using testing::Not;

constexpr std::uint64_t kText = 0x10000000;
constexpr std::uint64_t kHeap = 0x20000000;
constexpr std::uint64_t kStack = 0x7f0000000000;
constexpr std::uint64_t kGiB = 1ull << 30;

ImageBuilder sample(FakeMemory& memory) {
  ImageBuilder builder;
  builder.thread(4711, kStack + 0x1100, kText + 0x10).thread(4713, kStack + 0x11800, kText + 0x20);
  ProcessImage& image = builder.image();
  image.threads[1].name = "w\xc3\xb6rker";
  image.process.captured_at_ns = 1'700'000'000'123'456'789;
  Region text = file_region(kText, 0x2000, "/usr/bin/server");
  text.access.execute = true;
  Region secret = anonymous_region(0x40000000, 0x1000);
  secret.traits.dont_dump = true;
  builder.region(text)
      .region(anonymous_region(kHeap, 4 << 20, "[heap]"))
      .region(secret)
      .region(anonymous_region(kStack, 0x2000, "[stack]"))
      .region(anonymous_region(kStack + 0x10000, 0x2000))
      .verbatim("auxv", std::vector<std::byte>(32, std::byte{3}));
  memory
      .put(kText, 0x2000,
           "\x7f"
           "ELF")
      .fill(kHeap, 0x3000, 1)
      .untouched(kHeap + 0x3000, (4 << 20) - 0x3000)
      .fill(kStack, 0x2000, 3)
      .fill(kStack + 0x10000, 0x2000, 4);
  image.modules = {{.range = {{0x1000}, 0x1000},
                    .path = "/lib/libc.so.6",
                    .build_id = {std::byte{0xaa}, std::byte{0xbb}}},
                   {.range = {{kText}, 0x2000}, .path = "/usr/bin/server", .build_id = {}},
                   {.range = {{0x3000}, 6 * kGiB}, .path = "[vdso]", .build_id = {}}};
  image.handles = {{.number = 5, .kind = "socket", .target = "socket:[77]", .flags = 2}};
  return builder;
}

/// Selected, planned and poured.
Result<std::vector<std::byte>> make(const ProcessImage& image, const Memory& memory) {
  const Selection selection = DOPPEL_TRY(select(image, memory));
  const DumpPlan plan = DOPPEL_TRY(find_format("minidump")->plan(image, selection));
  return pour(plan, memory);
}

class LinuxMinidump : public testing::Test {
 protected:
  const MinidumpView& view() {
    if (!view_) {
      auto made = make(builder_.build(), memory_);
      EXPECT_TRUE(made.has_value());
      if (made) file_ = std::move(*made);
      view_.emplace(file_);
    }
    return *view_;
  }

  FakeMemory memory_;
  ImageBuilder builder_ = sample(memory_);
  std::vector<std::byte> file_;
  std::optional<MinidumpView> view_;
};

TEST_F(LinuxMinidump, HeaderIsOfTheInstantOfTheSnapshot) {
  EXPECT_EQ(view().u32(20), 1'700'000'000u);
  EXPECT_EQ(view().u64(24), 0x20806u);
}

TEST_F(LinuxMinidump, SystemInfo) {
  const auto stream = view().stream(7);
  EXPECT_EQ(stream.size, 56u);
  EXPECT_EQ(view().u16(stream.offset), 9u);
  EXPECT_EQ(view().u32(stream.offset + 8), 6u);
  EXPECT_EQ(view().u32(stream.offset + 12), 1u);
  EXPECT_EQ(view().u32(stream.offset + 20), 0x8201u);
  EXPECT_EQ(view().string(view().u32(stream.offset + 24)), "Linux 6.1.0 x86_64");
}

TEST_F(LinuxMinidump, IdsAreTheTargetsOwn) {
  const auto misc = view().stream(15);
  EXPECT_EQ(misc.size, 24u);
  EXPECT_EQ(view().u32(misc.offset), 24u);
  EXPECT_EQ(view().u32(misc.offset + 4), 1u);
  EXPECT_EQ(view().u32(misc.offset + 8), 17u);
  const auto threads = view().stream(3);
  EXPECT_EQ(threads.size, 4 + 2 * 48u);
  EXPECT_EQ(view().u32(threads.offset), 2u);
  EXPECT_EQ(view().u32(threads.offset + 4), 17u);
  EXPECT_EQ(view().u32(threads.offset + 4 + 48), 19u);
}

TEST_F(LinuxMinidump, StacksPointIntoTheOneCopyOfMemory) {
  const auto threads = view().stream(3);
  const std::size_t second = threads.offset + 4 + 48;
  const std::uint64_t start = view().u64(second + 24);
  const std::uint32_t size = view().u32(second + 32);
  EXPECT_EQ(start, kStack + 0x11000);
  EXPECT_EQ(size, 0x1000u);
  EXPECT_EQ(view().u32(second + 36) % 4096, 0u);
  EXPECT_EQ(view().text(view().u32(second + 36), size), std::string(0x1000, '\4'));
  EXPECT_EQ(view().u32(second + 40), 1232u);
  EXPECT_EQ(view().u64(view().u32(second + 44) + 152), kStack + 0x11800);
  // The red zone below the stack pointer belongs to the stack.
  const std::size_t first = threads.offset + 4;
  EXPECT_EQ(view().u64(first + 24), kStack + 0x1000);

  const auto wide = view().stream(9);
  const std::uint64_t count = view().u64(wide.offset);
  EXPECT_EQ(wide.size, 16 + 16 * count);
  std::uint64_t at = view().u64(wide.offset + 8);
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t begin = view().u64(wide.offset + 16 + 16 * i);
    const std::uint64_t bytes = view().u64(wide.offset + 24 + 16 * i);
    if (begin == kStack + 0x10000) found = at;
    at += bytes;
  }
  EXPECT_EQ(at, view().size());
  EXPECT_EQ(found + 0x1000, view().u32(second + 36));
}

TEST_F(LinuxMinidump, MemoryListNamesStacks) {
  const auto list = view().stream(5);
  const std::uint32_t count = view().u32(list.offset);
  EXPECT_EQ(list.size, 4 + 16 * count);
  std::vector<std::uint64_t> begins;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t at = list.offset + 4 + 16 * i;
    begins.push_back(view().u64(at));
    const std::uint32_t size = view().u32(at + 8);
    if (begins.back() == kStack) {
      EXPECT_EQ(view().text(view().u32(at + 12), size), std::string(size, '\3'));
    }
  }
  EXPECT_THAT(begins, testing::IsSupersetOf({kStack, kStack + 0x10000}));
}

TEST_F(LinuxMinidump, ModulesExecutableFirstAndByBuildId) {
  const auto list = view().stream(4);
  EXPECT_EQ(list.size, 4 + 3 * 108u);
  const std::size_t first = list.offset + 4, second = first + 108, third = second + 108;
  EXPECT_EQ(view().u64(first), kText);
  EXPECT_EQ(view().string(view().u32(first + 20)), "/usr/bin/server");
  EXPECT_EQ(view().u32(first + 76), 0u) << "no build id, no record";
  EXPECT_EQ(view().string(view().u32(second + 20)), "/lib/libc.so.6");
  EXPECT_EQ(view().text(view().u32(second + 80), view().u32(second + 76)), "LEpB\xaa\xbb");
  EXPECT_EQ(view().string(view().u32(third + 20)), "linux-gate.so");
  EXPECT_EQ(view().u32(third + 8), 0xffffffffu) << "6 GiB do not fit";
}

TEST_F(LinuxMinidump, NamesHandlesAndTexts) {
  const auto names = view().stream(24);
  EXPECT_EQ(names.size, 4 + 2 * 12u);
  EXPECT_EQ(view().u32(names.offset + 16), 19u);
  EXPECT_EQ(view().string(static_cast<std::uint32_t>(view().u64(names.offset + 20))), "w?rker");
  const auto handles = view().stream(12);
  EXPECT_EQ(handles.size, 16 + 32u);
  EXPECT_EQ(view().u32(handles.offset + 4), 32u);
  EXPECT_EQ(view().u64(handles.offset + 16), 5u);
  EXPECT_EQ(view().string(view().u32(handles.offset + 24)), "socket");
  EXPECT_EQ(view().string(view().u32(handles.offset + 28)), "socket:[77]");

  EXPECT_THAT(view().stream_text(0x47670004), HasSubstr("\nPid:\t17\n"));
  EXPECT_EQ(view().stream_text(0x47670006),
            std::string("server\0--port\08080\0", 19).substr(0, 14) + std::string("80\0", 3));
  EXPECT_EQ(view().stream_text(0x47670008), std::string(32, '\3'));
  // The form of fs/proc/task_mmu.c, the name in column 74.
  const std::string maps = view().stream_text(0x47670009);
  EXPECT_THAT(maps, HasSubstr("10000000-10002000 r-xp 00000000 08:01 42"));
  EXPECT_THAT(maps, HasSubstr("7f0000000000-7f0000002000 rw-p 00000000 00:00 0"));
  const std::string line = maps.substr(0, maps.find('\n'));
  EXPECT_EQ(line.find("/usr/bin/server"), 73u);
}

TEST_F(LinuxMinidump, WhatIsMissingIsSaid) {
  EXPECT_THAT(view().stream_text(10), HasSubstr("omitted: memory 0x40000000 size 0x1000, "
                                                "MADV_DONTDUMP\n"));
  EXPECT_FALSE(view().has(0x4d7a0004)) << "left out as asked is no error";
  EXPECT_THAT(view().stream_text(0x44504c01), HasSubstr("MADV_DONTDUMP"));
  // Never touched and large: zero, and not in the file.
  const auto zeros = view().stream(0x44504c05);
  EXPECT_EQ(view().u64(zeros.offset), 1u);
  EXPECT_EQ(view().u64(zeros.offset + 8), kHeap + 0x3000);
  EXPECT_EQ(view().u64(zeros.offset + 16), (4u << 20) - 0x3000);
}

TEST_F(LinuxMinidump, LossesAreSoftErrors) {
  builder_.image().omissions.push_back(
      {.what = "registers", .range = {}, .why = "thread 4713 did not stop", .asked = false});
  EXPECT_EQ(view().stream_text(0x4d7a0004),
            R"([{"what":"registers","address":"0x0","size":0,"why":"thread 4713 did not stop"}])");
}

TEST_F(LinuxMinidump, MemoryInfoCoversEveryRegion) {
  const auto info = view().stream(16);
  EXPECT_EQ(info.size, 16 + 5 * 48u);
  EXPECT_EQ(view().u32(info.offset + 4), 48u);
  EXPECT_EQ(view().u64(info.offset + 8), 5u);
  const std::size_t text = info.offset + 16;
  EXPECT_EQ(view().u64(text), kText);
  EXPECT_EQ(view().u64(text + 24), 0x2000u);
  EXPECT_EQ(view().u32(text + 32), 0x1000u);
  EXPECT_EQ(view().u32(text + 36), 0x20u) << "PAGE_EXECUTE_READ";
  EXPECT_EQ(view().u32(text + 40), 0x40000u) << "MEM_MAPPED";
  EXPECT_EQ(view().u32(text + 48 + 36), 0x04u) << "PAGE_READWRITE";
}

TEST_F(LinuxMinidump, NoExceptionWithoutAFault) {
  EXPECT_FALSE(view().has(6));
}

TEST_F(LinuxMinidump, AFaultIsSignalCodeAndAddress) {
  builder_.image().fault =
      Fault{.thread = 4713, .number = 11, .code = 1, .address = {0x18}, .siginfo = {}};
  const auto stream = view().stream(6);
  EXPECT_EQ(stream.size, 168u);
  EXPECT_EQ(view().u32(stream.offset), 19u);
  EXPECT_EQ(view().u32(stream.offset + 8), 11u);
  EXPECT_EQ(view().u32(stream.offset + 12), 1u);
  EXPECT_EQ(view().u64(stream.offset + 24), 0x18u);
  EXPECT_EQ(view().u32(stream.offset + 160), 1232u);
  EXPECT_EQ(view().u64(view().u32(stream.offset + 164) + 248), kText + 0x20);
}

TEST_F(LinuxMinidump, SamePlanTwice) {
  const ProcessImage image = builder_.build();
  const auto a = make(image, memory_), b = make(image, memory_);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
}

// --- limits, on paper: nothing of that size is ever read -------------------------------------

class Huge : public Memory {
  Result<std::size_t> read(Address, std::span<std::byte> to) const override { return to.size(); }
};

TEST(LargeMinidump, StacksBeyondFourGigabytesAreFoundByAddress) {
  // 2000 stacks of 2 MiB take 4000 MiB, and a 16 GiB heap follows.
  ImageBuilder builder;
  constexpr std::uint64_t kSize = 2 << 20;
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t at = kStack + 2 * kSize * static_cast<unsigned>(i);
    builder.thread(4711 + i, at + kSize - 0x800).region(anonymous_region(at, kSize));
  }
  builder.region(anonymous_region(kHeap, 16 * kGiB));
  const ProcessImage image = builder.build();
  const Huge memory;
  const auto selection = select(image, memory);
  ASSERT_TRUE(selection.has_value());
  const auto plan = find_format("minidump")->plan(image, *selection);
  ASSERT_TRUE(plan.has_value());
  EXPECT_GT(plan->size(), 19 * kGiB);
  const auto& head = std::get<Literal>(plan->pieces.front()).bytes;
  const MinidumpView view(head);
  const auto threads = view.stream(3);
  std::uint32_t reached = 0;
  for (std::uint32_t i = 0; i < view.u32(threads.offset); ++i) {
    const std::size_t at = threads.offset + 4 + 48 * i;
    const std::uint32_t size = view.u32(at + 32), rva = view.u32(at + 36);
    EXPECT_EQ(size == 0, rva == 0) << i;
    if (rva == 0) continue;
    ++reached;
    EXPECT_GE(rva, head.size());
    EXPECT_LE(std::uint64_t{rva} + size, 0xffffffffu);
  }
  EXPECT_EQ(reached, 1536u) << "3 GiB of stacks";
  const auto list = view.stream(5);
  EXPECT_EQ(view.u32(list.offset), 1536u);
  // Memory64List alone reaches the whole file.
  const auto wide = view.stream(9);
  std::uint64_t end = view.u64(wide.offset + 8);
  for (std::uint64_t i = 0; i < view.u64(wide.offset); ++i)
    end += view.u64(wide.offset + 24 + 16 * i);
  EXPECT_EQ(end, plan->size());
}

TEST(LargeMinidump, MemoryListKeepsBreakpadsLimits) {
  ImageBuilder builder;
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t at = kStack + 0x10000ull * static_cast<unsigned>(i);
    builder.thread(4711 + i, at + 0x800).region(anonymous_region(at, 0x1000));
  }
  const ProcessImage image = builder.build();
  const Huge memory;
  const auto selection = select(image, memory);
  ASSERT_TRUE(selection.has_value());
  const auto plan = find_format("minidump")->plan(image, *selection);
  ASSERT_TRUE(plan.has_value());
  const MinidumpView view(std::get<Literal>(plan->pieces.front()).bytes);
  EXPECT_EQ(view.u32(view.stream(5).offset), 4096u);
  EXPECT_EQ(view.u64(view.stream(9).offset), 5000u);
}

TEST(MinidumpFormat, RefusesWhatBreaksTheRules) {
  ProcessImage image = ImageBuilder().region(anonymous_region(0x1000, 0x1000)).build();
  Selection selection;
  selection.segments.push_back({.range = {{0x1800}, 0x1000}, .pieces = {}});
  auto plan = find_format("minidump")->plan(image, selection);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, Errc::malformed);
  image.threads.clear();
  plan = find_format("minidump")->plan(image, {});
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, Errc::malformed);
}

}  // namespace
}  // namespace doppel
