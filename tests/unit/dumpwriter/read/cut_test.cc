// SPDX-License-Identifier: Apache-2.0
//
// A dump cut at any byte opens for what it holds, or says that it is too short for its headers; no
// byte that it shows is wrong.
#include <gtest/gtest.h>

#include <random>

#include <dumpwriter/read/file_source.h>
#include <dumpwriter/read/frame_index.h>
#include <dumpwriter/read/open_dump.h>
#include <tests/unit/dumpwriter/read/sample_dump.h>

namespace doppel::test {
namespace {

/// Bytes of the sample that `memory` shows, all of them compared.
std::uint64_t compare_memory(const Memory& memory, const Sample& sample) {
  const std::unique_ptr<FakeMemory> truth = sample.memory();
  std::uint64_t shown = 0;
  for (const Region& region : sample.image.regions) {
    if (region.range.begin.value == kHuge) continue;
    std::vector<std::byte> page(4096);
    std::vector<std::byte> expected(4096);
    for (std::uint64_t at = 0; at < region.range.size; at += 4096) {
      const Address address{region.range.begin.value + at};
      const Result<std::size_t> count = memory.read(address, page);
      if (!count) {
        EXPECT_TRUE(count.error().code == Errc::unmapped || count.error().code == Errc::malformed);
        continue;
      }
      EXPECT_EQ(truth->read(address, expected).value_or(0), 4096u);
      EXPECT_EQ(*count, 4096u);
      EXPECT_EQ(page, expected);
      shown += *count;
    }
  }
  return shown;
}

/// Opens the first `size` bytes of `file`; what it shows of the memory, or nothing when it does
/// not open.
std::optional<std::uint64_t> open_cut(const TempDir& dir, const std::vector<std::byte>& file,
                                      std::size_t size, const Sample& sample) {
  const Result<Snapshot> snapshot = open_dump(put_file(dir, std::span(file).first(size)));
  if (!snapshot) {
    EXPECT_EQ(snapshot.error().code, Errc::malformed) << size;
    return std::nullopt;
  }
  const std::uint64_t shown = compare_memory(*snapshot->memory, sample);
  // A minidump's directory comes first: it opens though its lists of memory may be beyond the cut.
  const auto& omissions = snapshot->image.omissions;
  if (std::any_of(omissions.begin(), omissions.end(),
                  [](const Omission& each) { return each.what == "streams"; })) {
    EXPECT_EQ(shown, 0u);
    EXPECT_EQ(std::string_view(sample.format), "minidump");
    return shown;
  }
  if (size < file.size()) {
    // What is missing is said. (Cut within the seek table nothing is missing.)
    std::uint64_t omitted = 0;
    for (const Omission& each : snapshot->image.omissions) {
      if (each.why == "the dump was cut") omitted += each.range.size;
    }
    const std::uint64_t dumped = kMiB + 0x2000 + 0x8000 + 0x4000;
    EXPECT_EQ(shown + omitted, dumped) << size;
  }
  return shown;
}

class CutDumpOf : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Formats, CutDumpOf, testing::Values("elf", "minidump"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(CutDumpOf, APlainOneOpensForWhatItHolds) {
  Sample sample;
  sample.format = GetParam();
  const TempDir dir;
  const Result<std::vector<std::byte>> file = sample.written({.compress = false});
  ASSERT_TRUE(file);
  const std::optional<std::uint64_t> whole = open_cut(dir, *file, file->size(), sample);
  ASSERT_TRUE(whole);
  std::mt19937_64 random(5);
  std::vector<std::size_t> sizes = {0, 1, 63, 64, 65, 100, 400, 1000, file->size() - 1};
  for (int i = 0; i < 100; ++i) sizes.push_back(random() % file->size());
  std::sort(sizes.begin(), sizes.end());
  std::uint64_t before = 0;
  for (const std::size_t size : sizes) {
    const std::optional<std::uint64_t> shown = open_cut(dir, *file, size, sample);
    if (!shown) {
      EXPECT_LT(size, 4096u);
      continue;
    }
    EXPECT_GE(*shown, before);
    EXPECT_LE(*shown, *whole);
    before = *shown;
  }
  EXPECT_GT(before, kMiB / 2);
}

TEST(CutDump, ACompressedOneOpensForWhatItHolds) {
  const Sample sample;
  const TempDir dir;
  const Result<std::vector<std::byte>> file = sample.written({.block_bytes = 16 << 10});
  ASSERT_TRUE(file);
  const Result<std::unique_ptr<FileSource>> source = FileSource::open(put_file(dir, *file));
  ASSERT_TRUE(source);
  const Result<FrameIndex> index = index_frames(**source);
  ASSERT_TRUE(index);
  const std::size_t first_end = index->frames[0].size;
  std::vector<std::size_t> sizes = {0, 1, 3, 4, 5, first_end - 1, first_end, first_end + 1};
  for (const Frame& frame : index->frames) {
    sizes.push_back(frame.offset);
    sizes.push_back(frame.offset + 7);
    sizes.push_back(frame.offset + frame.size - 1);
  }
  std::mt19937_64 random(6);
  for (int i = 0; i < 100; ++i) sizes.push_back(random() % file->size());
  for (std::size_t back = 1; back < 40; ++back) sizes.push_back(file->size() - back);
  unsigned opened = 0;
  for (const std::size_t size : sizes) {
    const std::optional<std::uint64_t> shown = open_cut(dir, *file, size, sample);
    EXPECT_EQ(shown.has_value(), size >= first_end) << size;
    opened += shown ? 1 : 0;
  }
  EXPECT_GT(opened, 100u);
}

TEST(CutDump, WithoutItsTableADumpIsTheSame) {
  const Sample sample;
  const TempDir dir;
  const Result<std::vector<std::byte>> file = sample.written({});
  ASSERT_TRUE(file);
  const Result<Snapshot> whole = open_dump(put_file(dir, *file));
  ASSERT_TRUE(whole);
  const Result<Snapshot> cut = open_dump(put_file(dir, std::span(*file).first(file->size() - 1)));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->image, whole->image);
}

TEST(CutDump, OneThatTheWriterCutShortSaysSoAndOpens) {
  const Sample sample;
  const TempDir dir;
  const Result<Selection> selection = sample.selection();
  ASSERT_TRUE(selection);
  Result<DumpPlan> plan = find_format("elf")->plan(sample.image, *selection);
  ASSERT_TRUE(plan);

  /// Vanishes after the stack and a part of the heap.
  class Vanishing final : public Memory {
   public:
    explicit Vanishing(std::unique_ptr<FakeMemory> inner) : inner_(std::move(inner)) {}

    Result<std::size_t> read(Address from, std::span<std::byte> to) const override {
      if (from.value >= kHeap + 0x40000 && from.value < kHuge) return fail(Errc::gone, "read");
      return inner_->read(from, to);
    }

   private:
    std::unique_ptr<FakeMemory> inner_;
  };

  const auto contents = std::make_shared<BufferSink::Contents>();
  Snapshot source;
  source.memory = std::make_unique<Vanishing>(sample.memory());
  WriteJob job = WriteJob::start(std::move(source), std::move(*plan),
                                 std::make_unique<BufferSink>(contents), {.block_bytes = 16 << 10});
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_TRUE(report);
  ASSERT_TRUE(report->cut_short);
  const Result<Snapshot> snapshot = open_dump(put_file(dir, contents->bytes));
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->image.threads, sample.image.threads);
  const std::uint64_t shown = compare_memory(*snapshot->memory, sample);
  EXPECT_GE(shown, 0x4000u + 0x30000u);
  EXPECT_LT(shown, kMiB);
  const Verbatim& last = snapshot->image.verbatim.back();
  EXPECT_EQ(last.name, kWriteReportText);
  const std::string text(reinterpret_cast<const char*>(last.bytes.data()), last.bytes.size());
  EXPECT_NE(text.find("\"complete\":false"), std::string::npos);
}

}  // namespace
}  // namespace doppel::test
