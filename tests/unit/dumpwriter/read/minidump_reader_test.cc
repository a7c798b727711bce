// SPDX-License-Identifier: Apache-2.0
//
// Minidumps that are not ours, made here byte by byte as Breakpad and NT write them; NT images
// through our own writer; and hostile ones. (Round trips and cuts of our own: round_trip_test.cc,
// cut_test.cc.)
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <dumpwriter/minidump/builder.h>
#include <dumpwriter/minidump/context_amd64.h>
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/read/minidump_maps.h>
#include <dumpwriter/read/minidump_reader.h>
#include <tests/support/pour.h>
#include <tests/unit/dumpwriter/read/bytes_source.h>
#include <tests/unit/dumpwriter/read/sample_dump.h>

namespace doppel::test {
namespace {

using namespace minidump;

Result<Snapshot> read_bytes(std::vector<std::byte> bytes) {
  return read_minidump(std::make_shared<BytesSource>(std::move(bytes)));
}

void add_system(MinidumpBuilder& builder, std::uint32_t platform, std::uint16_t processor = 9) {
  RecordWriter body;
  body.u16(processor).u16(6).u16(0).u8(2).u8(1).u32(6).u32(1).u32(0).u32(platform);
  body.u32(builder.put_string("Linux 6.1.0-13 #1 SMP x86_64")).zeros(28);
  builder.add_stream(stream_type::kSystemInfo, body);
}

void add_text(MinidumpBuilder& builder, std::uint32_t type, std::string_view text) {
  RecordWriter body;
  body.text(text);
  builder.add_stream(type, body);
}

/// As Breakpad writes it of a process that took SIGSEGV.
std::vector<std::byte> breakpads() {
  MinidumpBuilder builder;
  add_system(builder, kPlatformLinux);
  add_text(builder, stream_type::kLinuxProcStatus,
           "Name:\tserver\nState:\tR (running)\nPid:\t17\n"
           "PPid:\t1\nUid:\t1000\t1000\t1000\t1000\n");
  add_text(builder, stream_type::kLinuxCmdLine, std::string_view("server\0-v\0", 10));
  add_text(builder, stream_type::kLinuxMaps,
           "00400000-00402000 r-xp 00001000 08:01 42    /usr/bin/a b (deleted)\n"
           "this is no line\n"
           "7fff0000-7fff4000 rw-p 00000000 00:00 0     [stack]\n");
  add_text(builder, stream_type::kLinuxAuxv, "auxv");
  CpuContext registers;
  registers.general.rsp = 0x7fff1010;
  registers.general.rip = 0x400123;
  registers.fxsave.assign(512, std::byte{1});
  const Location context = builder.put(make_context(registers));
  registers.general.rip = 0x400456;
  const Location at_fault = builder.put(make_context(registers));
  const Location stack = builder.put(std::vector<std::byte>(0xff0, std::byte{7}));
  RecordWriter threads;
  // The padding that some writers put behind the count.
  threads.u32(2).u32(0);
  for (const std::uint32_t id : {17u, 18u}) {
    threads.u32(id).zeros(20).u64(0x7fff1010 + 0x1000 * (id - 17)).u32(stack.size).u32(stack.rva);
    threads.u32(context.size).u32(context.rva);
  }
  builder.add_stream(stream_type::kThreadList, threads);
  RecordWriter exception;
  exception.u32(18).u32(0).u32(11).u32(1).u64(0).u64(0xdead).u32(0).u32(0).zeros(120);
  exception.u32(at_fault.size).u32(at_fault.rva);
  builder.add_stream(stream_type::kException, exception);
  RecordWriter id;
  id.u32(kCvElf).u32(0x11223344);
  const Location record = builder.put(id.bytes());
  RecordWriter modules;
  modules.u32(1).u64(0x400000).u32(0x2000).u32(0).u32(0).u32(builder.put_string("/usr/bin/a b"));
  modules.zeros(52).u32(record.size).u32(record.rva).zeros(24);
  builder.add_stream(stream_type::kModuleList, modules);
  return *std::move(builder).finish(1'700'000'000, 0);
}

TEST(ForeignMinidump, OfBreakpad) {
  const auto snapshot = read_bytes(breakpads());
  ASSERT_TRUE(snapshot) << snapshot.error().step;
  const ProcessImage& image = snapshot->image;
  EXPECT_EQ(image.process.pid, 17);
  EXPECT_EQ(image.process.parent, 1);
  EXPECT_EQ(image.process.uid, 1000u);
  EXPECT_EQ(image.process.comm, "server");
  EXPECT_EQ(image.process.kernel, "6.1.0-13");
  EXPECT_EQ(image.process.executable, "/usr/bin/a b");
  EXPECT_EQ(image.process.arguments, (std::vector<std::string>{"server", "-v"}));
  EXPECT_EQ(image.process.captured_at_ns, 1'700'000'000'000'000'000);
  EXPECT_FALSE(image.process.windows);
  ASSERT_EQ(image.threads.size(), 2u);
  EXPECT_EQ(image.threads[0].registers.general.rip, 0x400123u);
  EXPECT_EQ(image.threads[0].registers.fxsave.size(), 512u);
  EXPECT_EQ(image.threads[1].registers.general.rip, 0x400456u) << "that of the exception";
  ASSERT_TRUE(image.fault);
  EXPECT_EQ(image.fault->thread, 18);
  EXPECT_EQ(image.fault->number, 11u);
  EXPECT_EQ(image.fault->address.value, 0xdeadu);
  ASSERT_EQ(image.regions.size(), 2u);
  EXPECT_EQ(image.regions[0].path, "/usr/bin/a b");
  EXPECT_TRUE(image.regions[0].deleted);
  EXPECT_EQ(image.regions[0].file_offset, 0x1000u);
  EXPECT_EQ(image.regions[0].inode, 42u);
  EXPECT_EQ(image.regions[0].backing, Backing::file);
  EXPECT_TRUE(image.regions[1].traits.stack);
  ASSERT_EQ(image.modules.size(), 1u);
  EXPECT_EQ(image.modules[0].build_id.size(), 4u);
  ASSERT_EQ(image.verbatim.size(), 1u);
  EXPECT_EQ(image.verbatim[0].name, "auxv");
  // Stacks that stand in the thread list alone, not on page borders.
  std::vector<std::byte> bytes(0x2000);
  EXPECT_EQ(snapshot->memory->read({0x7fff1010}, bytes).value_or(0), 0xff0u);
  EXPECT_EQ(bytes[0], std::byte{7});
  EXPECT_EQ(snapshot->memory->read({0x7fff2010}, bytes).value_or(0), 0xff0u);
  EXPECT_EQ(snapshot->memory->read({0x400000}, bytes).error().code, Errc::unmapped);
}

TEST(ForeignMinidump, OfNtWithoutManifest) {
  MinidumpBuilder builder;
  add_system(builder, kPlatformWindows);
  RecordWriter memory;
  memory.u32(16).u32(48).u64(3);
  const auto entry = [&](std::uint64_t base, std::uint64_t size, std::uint32_t state,
                         std::uint32_t protect) {
    memory.u64(base).u64(base).u32(protect).u32(0).u64(size).u32(state).u32(protect);
    memory.u32(memory_type::kPrivate).u32(0);
  };
  entry(0, 0x10000, memory_state::kFree, page_protection::kNoAccess);
  entry(0x10000, 0x2000, memory_state::kCommit, page_protection::kExecuteReadWrite);
  entry(0x12000, 0x1000, memory_state::kReserve, 0);
  builder.add_stream(stream_type::kMemoryInfoList, memory);
  RecordWriter misc;
  misc.u32(24).u32(3).u32(44).u32(5).u32(6).u32(7);
  builder.add_stream(stream_type::kMiscInfo, misc);
  const auto snapshot = read_bytes(*std::move(builder).finish(0, 0));
  ASSERT_TRUE(snapshot);
  const ProcessImage& image = snapshot->image;
  ASSERT_TRUE(image.process.windows);
  EXPECT_EQ(image.process.windows->created_at, 5u);
  EXPECT_EQ(image.process.user_time_us, 6'000'000u);
  EXPECT_EQ(image.process.pid, 44);
  ASSERT_EQ(image.regions.size(), 2u);
  EXPECT_EQ(image.regions[0].access, (Access{true, true, true}));
  EXPECT_EQ(image.regions[1].access, Access{});
  EXPECT_EQ(image.regions[1].windows->state, memory_state::kReserve);
}

TEST(ForeignMinidump, AnotherMachinesIsRefused) {
  MinidumpBuilder builder;
  add_system(builder, kPlatformLinux, 12);
  EXPECT_EQ(read_bytes(*std::move(builder).finish(0, 0)).error().code, Errc::unsupported);
  MinidumpBuilder empty;
  EXPECT_EQ(read_bytes(*std::move(empty).finish(0, 0)).error().code, Errc::malformed);
}

// What the manifest does not hold of an NT process comes back from the streams.
TEST(OurMinidump, OfNtIsReadWhole) {
  ImageBuilder builder;
  builder.thread(8, 0x201f00, 0x140001010);
  ProcessImage& image = builder.image();
  image.process.captured_at_ns = 5;
  image.process.windows = WindowsProcess{.build = 9600,
                                         .service_pack = "sp",
                                         .processors = 3,
                                         .created_at = 9,
                                         .comment = "profile Nt63\nseed 1"};
  image.threads[0].windows =
      WindowsThread{.suspend_count = 1, .teb = {0x7ff0}, .start = {0x140001000}, .affinity = 3};
  image.threads[0].registers.general.orig_rax = ~0ull;
  Region stack = anonymous_region(0x200000, 0x2000);
  stack.windows =
      WindowsRegion{.allocation_base = {0x100000}, .allocation_protect = 4, .protect = 4};
  Region reserve = anonymous_region(0x100000, 0x100000);
  reserve.access = {};
  reserve.windows =
      WindowsRegion{.allocation_base = {0x100000}, .allocation_protect = 4, .state = 0x2000};
  builder.region(reserve).region(stack);
  WindowsModule pe{.checksum = 1, .time_stamp = 2, .pdb_age = 3, .pdb_path = "a.pdb"};
  pe.pdb_guid[15] = std::byte{4};
  image.modules = {
      {.range = {{0x140000000}, 0x3000}, .path = "C:\\a.exe", .build_id = {}, .windows = pe}};
  image.handles = {
      {.number = 4, .kind = "Event", .target = "\\e", .windows = WindowsHandle{2, 3, 4, 5}}};
  CpuContext at_fault = image.threads[0].registers;
  at_fault.general.rip = 0x1234;
  image.fault = Fault{.thread = 8,
                      .number = 0xc0000005,
                      .code = 0,
                      .address = {0x1234},
                      .siginfo = {},
                      .parameters = {1, 2},
                      .registers = at_fault};
  const ProcessImage whole = builder.build();
  FakeMemory memory;
  memory.fill(0x200000, 0x2000, 2);
  const auto selection = select(whole, memory);
  ASSERT_TRUE(selection);
  const auto plan = find_format("minidump")->plan(whole, *selection);
  ASSERT_TRUE(plan);
  const auto snapshot = read_bytes(*pour(*plan, memory));
  ASSERT_TRUE(snapshot) << snapshot.error().step;
  EXPECT_EQ(snapshot->image.process, whole.process);
  EXPECT_EQ(snapshot->image.threads, whole.threads);
  EXPECT_EQ(snapshot->image.regions, whole.regions);
  EXPECT_EQ(snapshot->image.modules, whole.modules);
  EXPECT_EQ(snapshot->image.handles, whole.handles);
  EXPECT_EQ(snapshot->image.fault, whole.fault);
  EXPECT_TRUE(snapshot->image.omissions.empty());
}

TEST(MapsText, HostileLinesAreSkipped) {
  for (const char* line :
       {"", "\n\n", "0-", "5000-4000 r--p 0 0:0 0", "1000-2000", "1000-2000 r--p",
        "1000-2000 r--p 0", "1000-2000 r--p 0 0:0", "1000-2000 r--p 0 0:0 x", "g-2000 r--p 0 0:0 0",
        "10000000000000000-20000000000000000 r--p 0 0:0 0"}) {
    EXPECT_TRUE(parse_maps_text(line).empty()) << line;
  }
  const auto regions = parse_maps_text("1000-2000 r--s 0 0:0 7 /a\\012b");
  ASSERT_EQ(regions.size(), 1u);
  EXPECT_EQ(regions[0].path, "/a\nb");
  EXPECT_EQ(regions[0].sharing, Sharing::shared);
}

TEST(HostileMinidump, PositionsThatPointAnywhere) {
  const std::vector<std::byte> file = breakpads();
  const std::uint32_t values[] = {0, 1, 7, 0xfff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
  unsigned opened = 0;
  for (std::size_t at = 0; at + 4 <= file.size(); at += 2) {
    // The stack's bytes are nobody's business.
    if (file[at] == std::byte{7} && file[at + 3] == std::byte{7}) continue;
    if (file[at] == std::byte{1} && file[at + 3] == std::byte{1}) continue;
    for (const std::uint32_t value : values) {
      std::vector<std::byte> bytes = file;
      std::memcpy(bytes.data() + at, &value, sizeof value);
      const auto snapshot = read_bytes(std::move(bytes));
      if (!snapshot) continue;
      ++opened;
      for (const Region& region : snapshot->image.regions) {
        (void)snapshot->memory->survey(region.range);
      }
    }
  }
  EXPECT_GT(opened, 1000u);
}

// A hundred thousand modules that share one long name.
TEST(HostileMinidump, RecordsThatShareBytesCostNoMemory) {
  MinidumpBuilder builder;
  add_system(builder, kPlatformLinux);
  const std::uint32_t name = builder.put_string(std::string(60000, 'x'));
  RecordWriter modules;
  constexpr std::uint32_t kCount = 100000;
  modules.u32(kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    modules.u64(i).u32(1).u32(0).u32(0).u32(name).zeros(84);
  }
  builder.add_stream(stream_type::kModuleList, modules);
  const auto snapshot = read_bytes(*std::move(builder).finish(0, 0));
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, Errc::limit);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 2 << 20);
}

}  // namespace
}  // namespace doppel::test
