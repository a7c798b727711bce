// SPDX-License-Identifier: Apache-2.0
//
// The job over sinks that fail as sinks do: a full disk, a reader that went away.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include <dumpwriter/job/write_job.h>
#include <dumpwriter/sink/fd_sink.h>
#include <dumpwriter/sink/file_sink.h>
#include <tests/unit/dumpwriter/job/test_memory.h>
#include <tests/unit/dumpwriter/job/test_sinks.h>
#include <tests/unit/dumpwriter/sink/scratch_dir.h>
#include <tests/unit/dumpwriter/sink/small_file_system.h>

namespace doppel::test {
namespace {

WriteJob start(std::size_t size, std::shared_ptr<MemoryLog> log, std::unique_ptr<Sink> sink,
               WriteOptions options = {}) {
  Snapshot snapshot;
  snapshot.memory = std::make_unique<TestMemory>(varied_bytes(size, 0), std::move(log));
  DumpPlan plan;
  plan.pieces.push_back(FromMemory{{{kBase}, size}});
  return WriteJob::start(std::move(snapshot), std::move(plan), std::move(sink), std::move(options));
}

TEST(WriteJobSinks, AFullDiskIsNamedAndLeavesNothing) {
  const ScratchDir dir;
  const int answer = in_small_file_system(dir.path(), [](const std::string& at) {
    for (const bool compress : {true, false}) {
      auto sink = FileSink::create(at + "/core");
      if (!sink) return 1;
      const auto log = std::make_shared<MemoryLog>();
      const Result<WriteReport> report =
          start(16 << 20, log, std::move(*sink), {.compress = compress}).wait();
      if (report || report.error().os != ENOSPC) return 2;
      if (report.error().subject != at + "/core") return 3;
      if (!std::filesystem::is_empty(at)) return 4;
      if (!log->destroyed) return 5;
    }
    return 0;
  });
  if (answer == 77 && std::getenv("DOPPEL_REQUIRE_LIVE") == nullptr) {
    GTEST_SKIP() << "no mount namespace to be had here";
  }
  EXPECT_EQ(answer, 0);
}

TEST(WriteJobSinks, AReaderThatWentAwayIsNoSignal) {
  // As in a program that knows nothing of pipes.
  std::signal(SIGPIPE, SIG_DFL);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  auto sink = FdSink::create(writer.get());
  ASSERT_TRUE(sink);
  const auto log = std::make_shared<MemoryLog>();
  WriteJob job = start(16 << 20, log, std::move(*sink));
  std::byte first[100];
  ASSERT_EQ(::read(reader.get(), first, sizeof first), 100);
  reader.reset();
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().os, EPIPE);
  EXPECT_TRUE(log->destroyed);
}

TEST(WriteJobSinks, CancelGoesThroughAReaderThatStandsStill) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  auto sink = FdSink::create(writer.get());
  ASSERT_TRUE(sink);
  const auto log = std::make_shared<MemoryLog>();
  WriteJob job = start(16 << 20, log, std::move(*sink));
  std::byte first[100];
  ASSERT_EQ(::read(reader.get(), first, sizeof first), 100);
  job.cancel();
  const Result<WriteReport> report = std::move(job).wait();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::cancelled);
  EXPECT_TRUE(log->destroyed);
}

TEST(WriteJobSinks, APlainDumpOfZerosTakesNoSpace) {
  const ScratchDir dir;
  auto sink = FileSink::create(dir / "core");
  ASSERT_TRUE(sink);
  Snapshot snapshot;
  const std::size_t size = 16 << 20;
  snapshot.memory =
      std::make_unique<TestMemory>(std::vector<std::byte>(size), std::make_shared<MemoryLog>());
  DumpPlan plan;
  plan.pieces.push_back(Literal{std::vector<std::byte>(100, std::byte{1})});
  plan.pieces.push_back(Zeros{4096 - 100});
  plan.pieces.push_back(FromMemory{{{kBase}, size}});
  plan.pieces.push_back(Zeros{size});
  const Result<WriteReport> report =
      WriteJob::start(std::move(snapshot), std::move(plan), std::move(*sink), {.compress = false})
          .wait();
  ASSERT_TRUE(report);
  struct stat facts{};
  ASSERT_EQ(::stat((dir / "core").c_str(), &facts), 0);
  EXPECT_EQ(static_cast<std::size_t>(facts.st_size), 2 * size + 4096);
  EXPECT_LT(facts.st_blocks * 512, 64 << 10);
}

}  // namespace
}  // namespace doppel::test
