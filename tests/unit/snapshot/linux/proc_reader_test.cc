// SPDX-License-Identifier: Apache-2.0
//
// Reading /proc of real processes: living, dying, dead, and through a system that answers badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <tests/support/sanitizer.h>
#include <tests/unit/snapshot/linux/child_process.h>
#include <tests/unit/snapshot/linux/scripted_sys.h>

namespace doppel {
namespace {

TEST(ProcReader, ReadsALivingProcess) {
  const ChildProcess child([] { return true; });
  ASSERT_TRUE(child.ready());
  const auto dir = ProcDir::open(Sys::real(), child.pid());
  ASSERT_TRUE(dir.has_value());
  EXPECT_EQ(dir->id(), child.pid());
  const auto status = parse_status(*dir->read_text("status"));
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->pid, child.pid());
  EXPECT_EQ(status->parent, ::getpid());
  EXPECT_THAT(*dir->list_tasks(), testing::Contains(child.pid()));
  EXPECT_EQ(dir->list_tasks()->size(), 1u + kSanitizerThreads);
  EXPECT_THAT(*dir->list_descriptors(), testing::Contains(0));
  char own[4096] = {};
  ASSERT_GT(::readlink("/proc/self/exe", own, sizeof own - 1), 0);
  EXPECT_EQ(*dir->read_link("exe"), own);
  const auto smaps = dir->read_smaps();
  ASSERT_TRUE(smaps.has_value());
  const auto maps = dir->read_smaps("maps");
  ASSERT_TRUE(maps.has_value());
  ASSERT_EQ(smaps->regions.size(), maps->regions.size());
  for (std::size_t i = 0; i < maps->regions.size(); ++i) {
    EXPECT_EQ(smaps->regions[i].range, maps->regions[i].range);
    EXPECT_EQ(smaps->regions[i].path, maps->regions[i].path);
  }
}

TEST(ProcReader, ListsThreadsAndReadsThem) {
  std::atomic<pid_t> tid{0};
  std::jthread thread([&](const std::stop_token& stop) {
    tid = ::gettid();
    tid.notify_all();
    while (!stop.stop_requested()) std::this_thread::yield();
  });
  tid.wait(0);
  const auto dir = ProcDir::open(Sys::real(), ::getpid());
  ASSERT_TRUE(dir.has_value());
  EXPECT_THAT(*dir->list_tasks(), testing::Contains(tid.load()));
  const auto task = dir->task(tid);
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(parse_stat(*task->read_text("stat"))->pid, tid.load());
  EXPECT_EQ(dir->task(1'999'999'999).error().code, Errc::gone);
}

TEST(ProcReader, ALinkLongerThanTheFirstBufferIsWhole) {
  const ChildProcess child([] {
    // A working directory with a long name: 8 x 100 bytes below a directory of its own.
    char base[] = "/tmp/doppel_long_XXXXXX";
    if (::mkdtemp(base) == nullptr || ::chdir(base) != 0) return false;
    const std::string part(100, 'd');
    for (int i = 0; i < 8; ++i) {
      if (::mkdir(part.c_str(), 0700) != 0 || ::chdir(part.c_str()) != 0) return false;
    }
    // The names can go at once: a working directory lives on without one.
    std::string path = base;
    for (int i = 0; i < 8; ++i) path += "/" + part;
    for (int i = 0; i < 9; ++i) {
      if (::rmdir(path.c_str()) != 0) return false;
      path.resize(path.rfind('/'));
    }
    return true;
  });
  ASSERT_TRUE(child.ready());
  const auto dir = ProcDir::open(Sys::real(), child.pid());
  const auto link = dir->read_link("cwd");
  ASSERT_TRUE(link.has_value());
  EXPECT_GT(link->size(), 8u * 100);
  EXPECT_TRUE(link->ends_with("d (deleted)")) << *link;
}

TEST(ProcReader, AProcessThatNeverWasIsGone) {
  EXPECT_EQ(ProcDir::open(Sys::real(), 1'999'999'999).error().code, Errc::gone);
}

TEST(ProcReader, ADeadProcessIsGoneWhateverIsAsked) {
  ChildProcess child([] { return true; });
  const auto dir = ProcDir::open(Sys::real(), child.pid());
  const auto open = dir->open_file("status", O_RDONLY);
  ASSERT_TRUE(open.has_value());
  child.reap();
  EXPECT_EQ(dir->read_text("status").error().code, Errc::gone);
  EXPECT_EQ(read_whole(Sys::real(), open->get(), "status").error().code, Errc::gone);
  EXPECT_EQ(dir->read_link("exe").error().code, Errc::gone);
  EXPECT_EQ(dir->list_tasks().error().code, Errc::gone);
  EXPECT_EQ(dir->list_descriptors().error().code, Errc::gone);
  EXPECT_EQ(dir->read_smaps().error().code, Errc::gone);
}

TEST(ProcReader, AFileThatTheKernelDoesNotHaveIsUnsupported) {
  const auto dir = ProcDir::open(Sys::real(), ::getpid());
  const auto text = dir->read_text("no_such_file");
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, Errc::unsupported);
  EXPECT_EQ(text.error().os, ENOENT);
  EXPECT_EQ(text.error().subject, std::to_string(::getpid()) + "/no_such_file");
}

TEST(ProcReader, DenialIsDenied) {
  ScriptedSys sys;
  sys.files["smaps"] = {.text = {}, .error = EACCES};
  const auto dir = ProcDir::open(sys, ::getpid());
  EXPECT_EQ(dir->read_smaps().error().code, Errc::denied);
}

TEST(ProcReader, FilesHaveABound) {
  const auto dir = ProcDir::open(Sys::real(), ::getpid());
  EXPECT_EQ(dir->read_text("status", 16).error().code, Errc::limit);
}

TEST(ProcReader, InterruptedAndShortReadsGoOn) {
  ScriptedSys sys;
  const std::string text = "State:\tS\n" + std::string(20'000, 'x') + "\n";
  sys.files["status"] = {.text = text};
  int reads = 0;
  sys.hook = [&](long number, long a, long b, long c) -> std::optional<long> {
    if (number != SYS_read) return std::nullopt;
    if (++reads % 2 == 1) return -EINTR;
    return Sys::real().read(static_cast<int>(a), reinterpret_cast<void*>(b),
                            std::min<std::size_t>(static_cast<std::size_t>(c), 777));
  };
  const auto dir = ProcDir::open(sys, ::getpid());
  EXPECT_EQ(*dir->read_text("status"), text);
}

TEST(ProcReader, SmapsAreParsedWhereverTheReadsCut) {
  const std::string text =
      "7f00000-7f01000 rw-p 00000000 00:00 0 \nRss: 4 kB\nVmFlags: rd wr ac \n"
      "7f02000-7f03000 r--p 00000000 fe:00 9 /a file";
  for (std::size_t step = 1; step < text.size(); ++step) {
    SmapsParser parser;
    for (std::size_t at = 0; at < text.size(); at += step) {
      ASSERT_TRUE(parser.feed(std::string_view(text).substr(at, step)).has_value()) << step;
    }
    const auto smaps = parser.finish();
    ASSERT_TRUE(smaps.has_value()) << step;
    ASSERT_EQ(smaps->regions.size(), 2u);
    EXPECT_TRUE(smaps->regions[0].traits.accountable);
    EXPECT_EQ(smaps->regions[0].resident, 4096u);
    EXPECT_EQ(smaps->regions[1].path, "/a file");
  }
}

TEST(ProcReader, ALineWithoutEndIsRefused) {
  SmapsParser parser;
  const std::string piece(60'000, '7');
  EXPECT_TRUE(parser.feed(piece).has_value());
  EXPECT_EQ(parser.feed(piece).error().code, Errc::malformed);
}

TEST(ProcReader, DirectoriesOfAnySizeAreListed) {
  const ChildProcess child([] {
    for (int i = 0; i < 3000; ++i) {
      if (::fcntl(0, F_DUPFD, 100) < 0) return false;
    }
    return true;
  });
  ASSERT_TRUE(child.ready());
  const auto dir = ProcDir::open(Sys::real(), child.pid());
  EXPECT_GE(dir->list_descriptors()->size(), 3000u);
}

TEST(ProcReader, EveryFailingCallIsAnErrorAndNothingLeaks) {
  const auto count_descriptors = [] {
    return ProcDir::open(Sys::real(), ::getpid())->list_descriptors()->size();
  };
  const std::size_t before = count_descriptors();
  int failures = 0;
  for (int n = 1;; ++n) {
    ScriptedSys sys;
    sys.fail_at = n;
    const auto run = [&]() -> Result<> {
      const ProcDir dir = DOPPEL_TRY(ProcDir::open(sys, ::getpid()));
      (void)DOPPEL_TRY(dir.read_text("status"));
      (void)DOPPEL_TRY(dir.read_smaps());
      (void)DOPPEL_TRY(dir.list_tasks());
      (void)DOPPEL_TRY(dir.read_link("exe"));
      return {};
    };
    const auto result = run();
    if (sys.calls < n) {
      EXPECT_TRUE(result.has_value());
      break;
    }
    EXPECT_FALSE(result.has_value()) << n;
    ++failures;
  }
  EXPECT_GT(failures, 8);
  EXPECT_EQ(count_descriptors(), before);
}

}  // namespace
}  // namespace doppel
