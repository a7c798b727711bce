// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>

#include <dumpwriter/job/write_job.h>
#include <tests/unit/dumpwriter/job/test_memory.h>
#include <tests/unit/dumpwriter/job/test_sinks.h>

namespace doppel::test {
namespace {

using std::chrono_literals::operator""ms;

/// A plan of a header, all of `bytes` as memory at kBase, and 1000 zero bytes.
struct Scene {
  std::vector<std::byte> bytes;
  std::shared_ptr<MemoryLog> log = std::make_shared<MemoryLog>();
  std::shared_ptr<BufferSink::Contents> contents = std::make_shared<BufferSink::Contents>();
  std::vector<std::byte> header;
  std::vector<std::byte> expected;
  DumpPlan plan;

  explicit Scene(std::size_t size, std::size_t zero_every = 7)
      : bytes(varied_bytes(size, zero_every)) {
    const std::string text = "the headers of a dump";
    for (const char c : text) header.push_back(static_cast<std::byte>(c));
    plan.pieces.push_back(Literal{header});
    plan.pieces.push_back(FromMemory{{{kBase}, size}});
    plan.pieces.push_back(Zeros{1000});
    expected = header;
    expected.insert(expected.end(), bytes.begin(), bytes.end());
    expected.resize(expected.size() + 1000);
  }

  std::unique_ptr<TestMemory> memory() const { return std::make_unique<TestMemory>(bytes, log); }

  std::unique_ptr<HookedSink> sink() const { return std::make_unique<HookedSink>(contents); }

  WriteJob start(std::unique_ptr<TestMemory> memory, std::unique_ptr<Sink> sink,
                 WriteOptions options) const {
    Snapshot snapshot;
    snapshot.memory = std::move(memory);
    return WriteJob::start(std::move(snapshot), plan, std::move(sink), std::move(options));
  }
};

bool is_prefix(const std::vector<std::byte>& part, const std::vector<std::byte>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST(WriteJob, WritesThePlanInOrderWhateverTheThreads) {
  for (const unsigned threads : {1u, 2u, 3u, 16u}) {
    for (const bool compress : {true, false}) {
      const Scene scene((5 << 20) + 4096 * 3);
      WriteJob job =
          scene.start(scene.memory(), scene.sink(),
                      {.compress = compress, .threads = threads, .block_bytes = 64 << 10});
      const Result<WriteReport> report = std::move(job).wait();
      ASSERT_TRUE(report) << report.error().step;
      EXPECT_TRUE(scene.contents->committed);
      EXPECT_TRUE(scene.log->destroyed);
      if (compress) {
        EXPECT_EQ(unzstd(scene.contents->bytes), scene.expected);
        EXPECT_LT(scene.contents->bytes.size(), scene.expected.size());
      } else {
        EXPECT_EQ(scene.contents->bytes, scene.expected);
      }
      EXPECT_EQ(report->core_bytes, scene.expected.size());
      EXPECT_EQ(report->planned_bytes, scene.expected.size());
      EXPECT_EQ(report->memory_bytes, scene.bytes.size());
      EXPECT_EQ(report->file_bytes, scene.contents->bytes.size());
      EXPECT_EQ(report->threads, threads);
      EXPECT_FALSE(report->cut_short);
      EXPECT_TRUE(report->zero_filled.empty());
    }
  }
}

TEST(WriteJob, AnEmptyPlanIsAnEmptyDump) {
  const auto contents = std::make_shared<BufferSink::Contents>();
  WriteJob job = WriteJob::start({}, {}, std::make_unique<BufferSink>(contents));
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_TRUE(report);
  EXPECT_TRUE(contents->committed);
  EXPECT_EQ(unzstd(contents->bytes), std::vector<std::byte>{});
}

TEST(WriteJob, ZeroBlocksCostAlmostNothingAndAreCounted) {
  Scene scene(0);
  scene.bytes.assign(8 << 20, std::byte{0});
  scene.plan.pieces = {FromMemory{{{kBase}, 8 << 20}}, Zeros{3 << 20}};
  WriteJob job = scene.start(scene.memory(), scene.sink(), {});
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_TRUE(report);
  EXPECT_EQ(unzstd(scene.contents->bytes), std::vector<std::byte>(11 << 20));
  EXPECT_EQ(report->zero_bytes, 11u << 20);
  EXPECT_LT(report->file_bytes, 4096u);
}

TEST(WriteJob, APageThatCannotBeReadIsZeroAloneAndCounted) {
  for (const bool compress : {true, false}) {
    Scene scene(1 << 20, 0);
    std::unique_ptr<TestMemory> memory = scene.memory();
    memory->bad_pages = {3, 4, 100, 255};
    for (const std::uint64_t page : memory->bad_pages) {
      std::fill_n(
          scene.expected.begin() + static_cast<std::ptrdiff_t>(scene.header.size() + page * kPage),
          kPage, std::byte{0});
    }
    WriteJob job = scene.start(std::move(memory), scene.sink(), {.compress = compress});
    const Result<WriteReport> report = std::move(job).wait();
    ASSERT_TRUE(report);
    const std::vector<std::byte>& file = scene.contents->bytes;
    EXPECT_EQ(compress ? unzstd(file) : std::optional(file), scene.expected);
    const std::vector<ZeroFilled> filled = {{{{kBase + 3 * kPage}, 2 * kPage}, "unreadable"},
                                            {{{kBase + 100 * kPage}, kPage}, "unreadable"},
                                            {{{kBase + 255 * kPage}, kPage}, "unreadable"}};
    EXPECT_EQ(report->zero_filled, filled);
    EXPECT_EQ(report->zero_filled_pages, 4u);
    EXPECT_FALSE(report->cut_short);
  }
}

TEST(WriteJob, ReleasesEveryPageAndOnlyAfterTheSinkHasIt) {
  // Not compressed, so that what the sink holds tells how far it is.
  Scene scene(9 << 20, 0);
  scene.plan.pieces = {FromMemory{{{kBase}, 9 << 20}}};
  std::unique_ptr<TestMemory> memory = scene.memory();
  std::atomic<bool> early = false;
  const auto contents = scene.contents;
  memory->on_release = [&early, contents](AddressRange range) {
    // Called on the committer's thread, as write() is.
    if (range.end() - kBase > contents->bytes.size()) early = true;
  };
  WriteJob job = scene.start(std::move(memory), scene.sink(), {.compress = false, .threads = 4});
  ASSERT_TRUE(std::move(job).wait());
  EXPECT_FALSE(early);
  // What is not released one by one goes with the snapshot; the first 4 MiB steps must have been.
  const std::lock_guard lock(scene.log->mutex);
  ASSERT_FALSE(scene.log->released.empty());
  std::uint64_t at = kBase;
  for (const AddressRange& range : scene.log->released) {
    EXPECT_EQ(range.begin.value, at);
    EXPECT_LE(range.size, 4u << 20);
    at = range.end();
  }
}

TEST(WriteJob, ReleasesNothingWhenToldSo) {
  const Scene scene(9 << 20, 0);
  WriteJob job = scene.start(scene.memory(), scene.sink(), {.release = false});
  ASSERT_TRUE(std::move(job).wait());
  EXPECT_TRUE(scene.log->released.empty());
}

TEST(WriteJob, ASlowSinkHoldsTheWorkersUp) {
  const Scene scene(32 << 20, 0);
  Gate gate;
  std::unique_ptr<HookedSink> sink = scene.sink();
  sink->before_write = [&gate](std::span<const std::byte>) -> Result<> {
    gate.pass();
    return {};
  };
  const std::shared_ptr<MemoryLog> log = scene.log;
  WriteJob job =
      scene.start(scene.memory(), std::move(sink), {.threads = 2, .block_bytes = 64 << 10});
  gate.wait_for_arrivals(1);
  // 2 x threads + 8 slots: no more blocks than that can have been read, of 512.
  EXPECT_FALSE(job.wait_for(100ms));
  std::size_t reads = 0;
  {
    const std::lock_guard lock(log->mutex);
    reads = log->reads;
  }
  EXPECT_LE(reads, 13u);
  gate.open();
  ASSERT_TRUE(std::move(job).wait());
  EXPECT_EQ(unzstd(scene.contents->bytes), scene.expected);
}

TEST(WriteJob, AFailingSinkStopsAllAndComesOutOfWait) {
  const Scene scene(8 << 20, 0);
  for (unsigned nth = 0; nth < 20; ++nth) {
    scene.contents->bytes.clear();
    std::unique_ptr<HookedSink> sink = scene.sink();
    sink->before_write = [left = nth](std::span<const std::byte>) mutable -> Result<> {
      if (left-- == 0) return fail_errno(EIO, "write dump", "here");
      return {};
    };
    WriteJob job = scene.start(scene.memory(), std::move(sink), {.threads = 3});
    const Result<WriteReport> report = std::move(job).wait();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::os);
    EXPECT_EQ(report.error().os, EIO);
    EXPECT_STREQ(report.error().step, "write dump");
    EXPECT_FALSE(scene.contents->committed);
    EXPECT_TRUE(scene.log->destroyed);
  }
}

TEST(WriteJob, AFailingCommitComesOutOfWait) {
  const Scene scene(1 << 20);
  std::unique_ptr<HookedSink> sink = scene.sink();
  sink->before_commit = []() -> Result<> { return fail_errno(ENOSPC, "write dump to disk"); };
  const Result<WriteReport> report = scene.start(scene.memory(), std::move(sink), {}).wait();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().os, ENOSPC);
  EXPECT_FALSE(scene.contents->committed);
}

TEST(WriteJob, CancelGivesUpEvenWhenTheSinkWaits) {
  const Scene scene(8 << 20, 0);
  Gate gate;
  std::unique_ptr<HookedSink> sink = scene.sink();
  sink->before_write = [&gate](std::span<const std::byte>) -> Result<> {
    gate.pass();
    return fail(Errc::cancelled, "write dump");
  };
  sink->on_interrupt = [&gate] { gate.open(); };
  WriteJob job = scene.start(scene.memory(), std::move(sink), {});
  gate.wait_for_arrivals(1);
  job.cancel();
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::cancelled);
  EXPECT_FALSE(scene.contents->committed);
  EXPECT_TRUE(scene.log->destroyed);
}

TEST(WriteJob, AJobThatIsDroppedIsCancelled) {
  const Scene scene(8 << 20, 0);
  Gate gate;
  std::unique_ptr<TestMemory> memory = scene.memory();
  memory->on_read = [&gate](Address) { gate.pass(); };
  {
    const WriteJob job = scene.start(std::move(memory), scene.sink(), {.threads = 2});
    gate.wait_for_arrivals(2);
    gate.open();
  }
  EXPECT_TRUE(scene.log->destroyed);
}

TEST(WriteJob, CutShortKeepsAReadableShorterDump) {
  for (const bool compress : {true, false}) {
    const Scene scene(32 << 20, 0);
    Gate gate;
    std::unique_ptr<TestMemory> memory = scene.memory();
    std::atomic<unsigned> reads = 0;
    memory->on_read = [&](Address) {
      if (++reads == 20) gate.pass();
    };
    WriteJob job = scene.start(std::move(memory), scene.sink(),
                               {.compress = compress, .threads = 2, .block_bytes = 64 << 10});
    gate.wait_for_arrivals(1);
    job.cut_short("it took \"too\" long");
    gate.open();
    const Result<WriteReport> report = std::move(job).wait();
    ASSERT_TRUE(report);
    EXPECT_TRUE(scene.contents->committed);
    EXPECT_TRUE(report->cut_short);
    EXPECT_EQ(report->cut_reason, "it took \"too\" long");
    EXPECT_LT(report->core_bytes, report->planned_bytes);
    const std::vector<std::byte>& file = scene.contents->bytes;
    const auto core = compress ? unzstd(file) : std::optional(file);
    ASSERT_TRUE(core);
    EXPECT_EQ(core->size(), report->core_bytes);
    EXPECT_GE(core->size(), scene.header.size() + 19u * (64 << 10));
    EXPECT_TRUE(is_prefix(*core, scene.expected));
    if (compress) {
      const std::string text(reinterpret_cast<const char*>(file.data()), file.size());
      EXPECT_NE(text.find("\"cut_short\":\"it took \\\"too\\\" long\""), std::string::npos);
    }
  }
}

TEST(WriteJob, CutShortDropsTheSnapshotWhileTheSinkStillWaits) {
  const Scene scene(32 << 20, 0);
  Gate gate;
  std::unique_ptr<HookedSink> sink = scene.sink();
  sink->before_write = [&gate](std::span<const std::byte>) -> Result<> {
    gate.pass();
    return {};
  };
  WriteJob job = scene.start(scene.memory(), std::move(sink), {.threads = 2});
  gate.wait_for_arrivals(1);
  job.cut_short("memory is short");
  for (int tries = 0; tries < 5000; ++tries) {
    {
      const std::lock_guard lock(scene.log->mutex);
      if (scene.log->destroyed) break;
    }
    ASSERT_FALSE(job.wait_for(1ms));
  }
  {
    const std::lock_guard lock(scene.log->mutex);
    EXPECT_TRUE(scene.log->destroyed);
  }
  gate.open();
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->cut_short);
}

TEST(WriteJob, HeadersAreWrittenHoweverEarlyTheCut) {
  Scene scene(4 << 20, 0);
  scene.header = varied_bytes(1 << 20, 0);
  scene.plan.pieces[0] = Literal{scene.header};
  Gate gate;
  std::unique_ptr<HookedSink> sink = scene.sink();
  sink->before_write = [&gate](std::span<const std::byte>) -> Result<> {
    gate.pass();
    return {};
  };
  WriteJob job =
      scene.start(scene.memory(), std::move(sink), {.threads = 1, .block_bytes = 16 << 10});
  gate.wait_for_arrivals(1);
  job.cut_short("at once");
  gate.open();
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->core_bytes, scene.header.size());
  EXPECT_EQ(unzstd(scene.contents->bytes), scene.header);
}

TEST(WriteJob, ACloneThatVanishesCutsTheDumpShort) {
  const Scene scene(4 << 20, 0);
  std::unique_ptr<TestMemory> memory = scene.memory();
  memory->gone_from = 1 << 20;
  WriteJob job =
      scene.start(std::move(memory), scene.sink(), {.threads = 3, .block_bytes = 64 << 10});
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->cut_short);
  EXPECT_FALSE(report->cut_reason.empty());
  const auto core = unzstd(scene.contents->bytes);
  ASSERT_TRUE(core);
  EXPECT_TRUE(is_prefix(*core, scene.expected));
  EXPECT_EQ(core->size(), scene.header.size() + (1 << 20));
}

TEST(WriteJob, OptionsOutOfBoundsAreRefused) {
  const Scene scene(1 << 20);
  const WriteOptions wrong[] = {{.level = 99},
                                {.level = -1000},
                                {.block_bytes = 1000},
                                {.block_bytes = 0},
                                {.block_bytes = 64 << 20}};
  for (const WriteOptions& options : wrong) {
    const Result<WriteReport> report = scene.start(scene.memory(), scene.sink(), options).wait();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::limit);
    EXPECT_FALSE(scene.contents->committed);
  }
}

TEST(WriteJob, EveryLevelStaysWithinTheMemoryBudget) {
  const Scene scene(2 << 20);
  for (const int level : {-5, 1, 3, 9, 19}) {
    scene.contents->bytes.clear();
    const Result<WriteReport> report =
        scene.start(scene.memory(), scene.sink(), {.level = level, .threads = 64}).wait();
    ASSERT_TRUE(report) << level;
    EXPECT_LE(report->threads, 64u);
    EXPECT_EQ(unzstd(scene.contents->bytes), scene.expected);
  }
}

/// Remembers the nice levels that threads ask for.
class NiceSys final : public Sys {
 public:
  std::mutex mutex;
  std::multiset<long> levels;

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    if (number == SYS_getpriority) return 20 - 3;
    if (number == SYS_setpriority) {
      EXPECT_EQ(b, 0);  // the calling thread
      const std::lock_guard lock(mutex);
      levels.insert(c);
      return 0;
    }
    return Sys::invoke(number, a, b, c, d, e, f);
  }
};

TEST(WriteJob, ItsThreadsGiveWayUnlessToldNotTo) {
  const Scene scene(1 << 20);
  NiceSys sys;
  ASSERT_TRUE(scene.start(scene.memory(), scene.sink(), {.threads = 3, .sys = &sys}).wait());
  EXPECT_EQ(sys.levels, (std::multiset<long>{8, 19, 19}));
  sys.levels.clear();
  ASSERT_TRUE(scene.start(scene.memory(), scene.sink(), {.background = false, .sys = &sys}).wait());
  EXPECT_TRUE(sys.levels.empty());
}

TEST(WriteJob, ProgressEndsAtThePlan) {
  const Scene scene(4 << 20);
  WriteJob job = scene.start(scene.memory(), scene.sink(), {});
  EXPECT_EQ(job.progress().planned, scene.expected.size());
  while (!job.wait_for(10ms)) EXPECT_LE(job.progress().done, job.progress().planned);
  EXPECT_EQ(job.progress().done, job.progress().planned);
  EXPECT_EQ(job.progress().file, scene.contents->bytes.size());
  job.cancel();  // too late: without effect
  EXPECT_TRUE(std::move(job).wait());
}

}  // namespace
}  // namespace doppel::test
