// SPDX-License-Identifier: Apache-2.0
//
// read(write(x)) == x, through every sink's way of writing.
#include <gtest/gtest.h>

#include <cstdlib>

#include <dumpwriter/read/open_dump.h>
#include <tests/unit/dumpwriter/read/sample_dump.h>

namespace doppel::test {
namespace {

void expect_same_facts(const ProcessImage& read, const Sample& sample) {
  ProcessImage expected = sample.image;
  const Result<Selection> selection = sample.selection();
  ASSERT_TRUE(selection);
  expected.omissions.insert(expected.omissions.end(), selection->omissions.begin(),
                            selection->omissions.end());
  const ProcessImage a = comparable(read);
  const ProcessImage b = comparable(expected);
  // Part by part first, so that a failure says where.
  EXPECT_EQ(a.process, b.process);
  EXPECT_EQ(a.regions, b.regions);
  EXPECT_EQ(a.threads, b.threads);
  EXPECT_EQ(a.modules, b.modules);
  EXPECT_EQ(a.handles, b.handles);
  EXPECT_EQ(a.fault, b.fault);
  EXPECT_EQ(a.verbatim, b.verbatim);
  EXPECT_EQ(a.omissions, b.omissions);
  EXPECT_EQ(a.torn, b.torn);
  EXPECT_EQ(a, b);
}

void expect_same_memory(const Memory& read, const Sample& sample) {
  std::vector<std::byte> bytes(kMiB);
  ASSERT_EQ(read.read({kHeap}, bytes).value_or(0), kMiB);
  EXPECT_EQ(bytes, sample.heap);
  // A read that begins in data and ends in what is not there stops in between.
  bytes.resize(0x5000);
  EXPECT_EQ(read.read({kHeap + kMiB - 0x1000}, bytes).value_or(0), 0x2000u);
  EXPECT_EQ(read.read({kHeap + kMiB + 0x1000}, bytes).error().code, Errc::unmapped);
  EXPECT_EQ(read.read({kHeap + kMiB + 0x2000}, bytes).value_or(0), 0x1000u);
  EXPECT_EQ(bytes[0xfff], std::byte{5});
  bytes.resize(0x4000);
  ASSERT_EQ(read.read({kStack}, bytes).value_or(0), 0x4000u);
  EXPECT_EQ(bytes, sample.stack);
  // Never touched: zero. Unwritten file: in the file, not here. No mapping: nothing.
  EXPECT_EQ(read.read({kHuge + 8 * kMiB - 3}, bytes).value_or(0), 0x4000u);
  EXPECT_EQ(bytes, std::vector<std::byte>(0x4000));
  EXPECT_EQ(read.read({0x1000}, bytes).error().code, Errc::unmapped);

  const Result<std::vector<Extent>> heap = read.survey({{kHeap}, kMiB + 0x3000});
  ASSERT_TRUE(heap);
  const std::vector<Extent> expected = {
      {{{kHeap}, kMiB + 0x1000}, Extent::Kind::data},
      {{{kHeap + kMiB + 0x1000}, 0x1000}, Extent::Kind::unreadable},
      {{{kHeap + kMiB + 0x2000}, 0x1000}, Extent::Kind::data}};
  EXPECT_EQ(*heap, expected);
  const Result<std::vector<Extent>> huge = read.survey({{kHuge}, 16 * kMiB});
  ASSERT_TRUE(huge);
  EXPECT_EQ(*huge, (std::vector<Extent>{{{{kHuge}, 16 * kMiB}, Extent::Kind::untouched}}));
}

class RoundTripOf : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Formats, RoundTripOf, testing::Values("elf", "minidump"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(RoundTripOf, WhatWasWrittenIsRead) {
  Sample sample;
  sample.format = GetParam();
  const TempDir dir;
  for (const WriteOptions& options :
       {WriteOptions{.compress = false}, WriteOptions{}, WriteOptions{.block_bytes = 4096},
        WriteOptions{.level = 5, .threads = 3, .block_bytes = 1 << 20}}) {
    const Result<std::vector<std::byte>> file = sample.written(options);
    ASSERT_TRUE(file);
    const Result<Snapshot> snapshot = open_dump(put_file(dir, *file));
    ASSERT_TRUE(snapshot) << snapshot.error().step << " " << snapshot.error().subject;
    expect_same_facts(snapshot->image, sample);
    expect_same_memory(*snapshot->memory, sample);
  }
}

TEST(RoundTrip, ManifestAndReportAreCarried) {
  const Sample sample;
  const TempDir dir;
  const Result<std::vector<std::byte>> file = sample.written({});
  ASSERT_TRUE(file);
  const Result<Snapshot> snapshot = open_dump(put_file(dir, *file));
  ASSERT_TRUE(snapshot);
  unsigned found = 0;
  for (const Verbatim& each : snapshot->image.verbatim) {
    const std::string text(reinterpret_cast<const char*>(each.bytes.data()), each.bytes.size());
    if (each.name == "manifest") found += text.starts_with("{\"schema\":1,") ? 1 : 0;
    if (each.name == "write_report")
      found += text.starts_with("{\"schema\":1,\"complete\":true") ? 1 : 0;
  }
  EXPECT_EQ(found, 2u);
}

/// Refuses what the plan had counted on.
class FlakyMemory final : public Memory {
 public:
  explicit FlakyMemory(std::unique_ptr<FakeMemory> inner) : inner_(std::move(inner)) {}

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override {
    constexpr std::uint64_t kBad = kHeap + 0x5000;
    if (from.value >= kBad && from.value < kBad + 0x2000) return fail(Errc::unmapped, "read");
    if (from.value < kBad) to = to.first(std::min<std::uint64_t>(to.size(), kBad - from.value));
    return inner_->read(from, to);
  }

 private:
  std::unique_ptr<FakeMemory> inner_;
};

TEST_P(RoundTripOf, ZeroFilledPagesAreNotReadAsZeros) {
  Sample sample;
  sample.format = GetParam();
  const TempDir dir;
  const Result<std::vector<std::byte>> file =
      sample.written({}, std::make_unique<FlakyMemory>(sample.memory()));
  ASSERT_TRUE(file);
  const Result<Snapshot> snapshot = open_dump(put_file(dir, *file));
  ASSERT_TRUE(snapshot);
  std::vector<std::byte> bytes(0x3000);
  EXPECT_EQ(snapshot->memory->read({kHeap + 0x4000}, bytes).value_or(0), 0x1000u);
  EXPECT_EQ(snapshot->memory->read({kHeap + 0x5000}, bytes).error().code, Errc::unmapped);
  EXPECT_EQ(snapshot->memory->read({kHeap + 0x7000}, bytes).value_or(0), 0x3000u);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), sample.heap.begin() + 0x7000));
  const Omission expected{
      .what = "memory", .range = {{kHeap + 0x5000}, 0x2000}, .why = "unreadable", .asked = false};
  EXPECT_EQ(snapshot->image.omissions.back(), expected);
}

TEST(RoundTrip, TheZstdCommandGivesThePlainCore) {
  if (std::system("zstd --version > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "zstd is not installed";
  }
  const Sample sample;
  const TempDir dir;
  const Result<std::vector<std::byte>> file = sample.written({});
  const Result<std::vector<std::byte>> plain = sample.written({.compress = false});
  ASSERT_TRUE(file);
  ASSERT_TRUE(plain);
  const std::string path = put_file(dir, *file);
  ASSERT_EQ(std::system(("zstd -q -d -o " + path + ".plain < " + path).c_str()), 0);
  std::ifstream back(path + ".plain", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(back), {}};
  ASSERT_EQ(text.size(), plain->size());
  EXPECT_EQ(std::memcmp(text.data(), plain->data(), text.size()), 0);
}

TEST(RoundTrip, MoreSegmentsThanAHeaderCanCount) {
  constexpr std::size_t kCount = 66000;
  Sample sample;
  sample.image.regions.clear();
  auto memory = std::make_unique<FakeMemory>();
  for (std::size_t i = 0; i < kCount; ++i) {
    sample.image.regions.push_back(anonymous_region(kHeap + i * 0x2000, 0x1000));
    memory->untouched(kHeap + i * 0x2000, 0x1000);
  }
  memory->fill(kHeap + (kCount - 1) * 0x2000, 0x1000, 0x55);
  const Result<Selection> selection = select(sample.image, *memory);
  ASSERT_TRUE(selection);
  Result<DumpPlan> plan = find_format("elf")->plan(sample.image, *selection);
  ASSERT_TRUE(plan);
  const auto contents = std::make_shared<BufferSink::Contents>();
  Snapshot source;
  source.memory = std::move(memory);
  ASSERT_TRUE(
      WriteJob::start(std::move(source), std::move(*plan), std::make_unique<BufferSink>(contents))
          .wait());
  const TempDir dir;
  const Result<Snapshot> snapshot = open_dump(put_file(dir, contents->bytes));
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->image.regions, sample.image.regions);
  std::byte last{};
  EXPECT_EQ(snapshot->memory->read({kHeap + (kCount - 1) * 0x2000 + 0xfff}, {&last, 1}).value_or(0),
            1u);
  EXPECT_EQ(last, std::byte{0x55});
}

}  // namespace
}  // namespace doppel::test
