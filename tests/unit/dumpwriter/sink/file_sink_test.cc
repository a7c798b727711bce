// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <dumpwriter/sink/file_sink.h>
#include <tests/unit/dumpwriter/sink/faulty_sys.h>
#include <tests/unit/dumpwriter/sink/scratch_dir.h>
#include <tests/unit/dumpwriter/sink/small_file_system.h>

namespace doppel::test {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

struct stat facts_of(const std::string& path) {
  struct stat facts{};
  EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
  return facts;
}

/// As on NFS or FAT: no O_TMPFILE.
std::optional<long> no_tmpfile(const FaultySys::Call& call) {
  if (call.number == SYS_openat && (call.c & O_TMPFILE) == O_TMPFILE) return -EOPNOTSUPP;
  return std::nullopt;
}

TEST(FileSink, NothingIsVisibleBeforeCommitAndTheModeIs0600) {
  const ScratchDir dir;
  const mode_t mask = ::umask(0);
  auto sink = FileSink::create(dir / "core");
  ::umask(mask);
  ASSERT_TRUE(sink);
  EXPECT_EQ((*sink)->path(), dir / "core");
  ASSERT_TRUE((*sink)->write(bytes("one ")));
  ASSERT_TRUE((*sink)->write(bytes("two")));
  EXPECT_TRUE(dir.names().empty());
  ASSERT_TRUE((*sink)->commit());
  sink->reset();
  EXPECT_EQ(dir.names(), std::set<std::string>{"core"});
  EXPECT_EQ(dir.text("core"), "one two");
  EXPECT_EQ(facts_of(dir / "core").st_mode, S_IFREG | 0600u);
  EXPECT_EQ(facts_of(dir / "core").st_nlink, 1u);
}

TEST(FileSink, TheOwnerCanReadItWhateverTheUmask) {
  const ScratchDir dir;
  const mode_t mask = ::umask(0777);
  auto sink = FileSink::create(dir / "core");
  ::umask(mask);
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->commit());
  EXPECT_EQ(facts_of(dir / "core").st_mode & 07777u, 0600u);
}

TEST(FileSink, ADroppedSinkLeavesNothing) {
  const ScratchDir dir;
  for (const bool tmpfile : {true, false}) {
    FaultySys sys;
    if (!tmpfile) sys.hook = no_tmpfile;
    auto sink = FileSink::create(dir / "core", sys);
    ASSERT_TRUE(sink);
    ASSERT_TRUE((*sink)->write(bytes("secret")));
    EXPECT_EQ(dir.names().size(), tmpfile ? 0u : 1u);
    sink->reset();
    EXPECT_TRUE(dir.names().empty());
  }
}

TEST(FileSink, WhatIsThereAlreadyIsRefusedAtOnce) {
  const ScratchDir dir;
  std::ofstream(dir / "file") << "mine";
  ASSERT_EQ(::symlink("nowhere", (dir / "dangling").c_str()), 0);
  ASSERT_EQ(::mkdir((dir / "directory").c_str(), 0700), 0);
  for (const char* name : {"file", "dangling", "directory"}) {
    const auto sink = FileSink::create(dir / name);
    ASSERT_FALSE(sink) << name;
    EXPECT_EQ(sink.error().os, EEXIST) << name;
    EXPECT_EQ(sink.error().subject, dir / name);
  }
  EXPECT_EQ(dir.text("file"), "mine");
}

TEST(FileSink, WhatAppearedMeanwhileIsNotOverwritten) {
  for (const bool tmpfile : {true, false}) {
    for (const bool rename : {true, false}) {
      const ScratchDir dir;
      FaultySys sys;
      if (!tmpfile) sys.hook = no_tmpfile;
      if (!rename) sys.deny[SYS_renameat2] = EINVAL;
      auto sink = FileSink::create(dir / "core", sys);
      ASSERT_TRUE(sink);
      ASSERT_TRUE((*sink)->write(bytes("dump")));
      std::ofstream(dir / "core") << "mine";
      const Result<> late = (*sink)->commit();
      ASSERT_FALSE(late);
      EXPECT_EQ(late.error().os, EEXIST);
      EXPECT_EQ(dir.text("core"), "mine");
      // The bytes are not lost.
      (*sink)->publish_as("core.1");
      ASSERT_TRUE((*sink)->commit());
      sink->reset();
      EXPECT_EQ(dir.text("core"), "mine");
      EXPECT_EQ(dir.text("core.1"), "dump");
      EXPECT_EQ(dir.names().size(), 2u);
    }
  }
}

TEST(FileSink, WithoutTmpfileAPartialFileIsMoved) {
  for (const bool rename : {true, false}) {
    const ScratchDir dir;
    FaultySys sys;
    sys.hook = no_tmpfile;
    if (!rename) sys.deny[SYS_renameat2] = ENOSYS;
    auto sink = FileSink::create(dir / "core", sys);
    ASSERT_TRUE(sink);
    ASSERT_EQ(dir.names().size(), 1u);
    const std::string partial = *dir.names().begin();
    EXPECT_TRUE(partial.starts_with(".core.") && partial.ends_with(".partial")) << partial;
    EXPECT_EQ(facts_of(dir / partial).st_mode & 07777u, 0600u);
    ASSERT_TRUE((*sink)->write(bytes("dump")));
    ASSERT_TRUE((*sink)->commit());
    sink->reset();
    EXPECT_EQ(dir.names(), std::set<std::string>{"core"});
    EXPECT_EQ(dir.text("core"), "dump");
  }
}

TEST(FileSink, ALongNameFitsThePartialOneToo) {
  const ScratchDir dir;
  FaultySys sys;
  sys.hook = no_tmpfile;
  const std::string name(255, 'n');
  auto sink = FileSink::create(dir / name, sys);
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->commit());
  EXPECT_EQ(dir.names(), std::set<std::string>{name});
}

TEST(FileSink, WithoutProcTheDescriptorItselfIsLinked) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs CAP_DAC_READ_SEARCH on older kernels";
  const ScratchDir dir;
  FaultySys sys;
  sys.hook = [](const FaultySys::Call& call) -> std::optional<long> {
    if (call.number == SYS_linkat && call.a == AT_FDCWD) return -ENOENT;
    return std::nullopt;
  };
  auto sink = FileSink::create(dir / "core", sys);
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->write(bytes("dump")));
  ASSERT_TRUE((*sink)->commit());
  EXPECT_EQ(dir.text("core"), "dump");
}

TEST(FileSink, BadDirectoriesAreToldApart) {
  const ScratchDir dir;
  std::ofstream(dir / "file") << "x";
  const auto error = [](const std::string& path) {
    const auto sink = FileSink::create(path);
    EXPECT_FALSE(sink) << path;
    return sink ? 0 : sink.error().os;
  };
  EXPECT_EQ(error(dir / "missing/core"), ENOENT);
  EXPECT_EQ(error(dir / "file/core"), ENOTDIR);
  EXPECT_EQ(error(dir / ""), EISDIR);
  EXPECT_EQ(error(dir / "."), EISDIR);
  EXPECT_EQ(error(dir / ".."), EISDIR);
  EXPECT_EQ(error(""), EISDIR);
  EXPECT_EQ(error(dir / std::string(300, 'n')), ENAMETOOLONG);
}

TEST(FileSink, ANotWritableDirectoryIsDenied) {
  const ScratchDir dir;
  FaultySys sys;
  sys.hook = [](const FaultySys::Call& call) -> std::optional<long> {
    if (call.number == SYS_openat && (call.c & O_RDWR) != 0) return -EACCES;
    return std::nullopt;
  };
  const auto sink = FileSink::create(dir / "core", sys);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().code, Errc::denied);
}

TEST(FileSink, ZerosAreHoles) {
  const ScratchDir dir;
  auto sink = FileSink::create(dir / "core");
  ASSERT_TRUE(sink);
  const std::uint64_t hole = 4 << 20;
  ASSERT_TRUE((*sink)->write(bytes("a")));
  ASSERT_TRUE((*sink)->write_zeros(hole));
  ASSERT_TRUE((*sink)->write(bytes("b")));
  ASSERT_TRUE((*sink)->write_zeros(hole));
  ASSERT_TRUE((*sink)->write_zeros(0));
  ASSERT_TRUE((*sink)->commit());
  const struct stat facts = facts_of(dir / "core");
  EXPECT_EQ(static_cast<std::uint64_t>(facts.st_size), 2 * hole + 2);
  EXPECT_LT(facts.st_blocks * 512, 1 << 20);
  const std::string text = dir.text("core");
  EXPECT_EQ(text[0], 'a');
  EXPECT_EQ(text[hole + 1], 'b');
  EXPECT_EQ(text.find_first_not_of(std::string("ab\0", 3)), std::string::npos);
}

TEST(FileSink, ShortWritesAndInterruptionsAreCarriedOn) {
  const ScratchDir dir;
  FaultySys sys;
  unsigned writes = 0;
  sys.hook = [&](const FaultySys::Call& call) -> std::optional<long> {
    if (call.number != SYS_write) return std::nullopt;
    if (++writes % 3 == 0) return -EINTR;
    return ::write(static_cast<int>(call.a), reinterpret_cast<const void*>(call.b),
                   std::min(call.c, 3l));
  };
  auto sink = FileSink::create(dir / "core", sys);
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->write(bytes("a text that takes several writes")));
  ASSERT_TRUE((*sink)->commit());
  EXPECT_EQ(dir.text("core"), "a text that takes several writes");
}

TEST(FileSink, EveryCallMayFailAndNothingIsLeft) {
  const std::vector<std::byte> much(9 << 20, std::byte{1});
  for (const bool tmpfile : {true, false}) {
    for (long n = 0;; ++n) {
      const ScratchDir dir(true);
      FaultySys sys;
      if (!tmpfile) sys.hook = no_tmpfile;
      sys.fail_at = n;
      bool whole = false;
      {
        auto sink = FileSink::create(dir / "core", sys);
        if (sink) {
          bool ok = true;
          for (int i = 0; ok && i < 3; ++i) ok = (*sink)->write(much).has_value();
          ok = ok && (*sink)->write_zeros(4096).has_value();
          whole = ok && (*sink)->commit().has_value();
        }
      }
      if (whole) {
        EXPECT_EQ(dir.names(), std::set<std::string>{"core"}) << n;
        EXPECT_EQ(facts_of(dir / "core").st_size, (27 << 20) + 4096);
      } else {
        EXPECT_TRUE(dir.names().empty()) << n;
      }
      if (n >= sys.count) {
        EXPECT_TRUE(whole);
        EXPECT_GT(n, 10);
        break;
      }
    }
  }
}

TEST(FileSink, FreeSpaceIsThatOfTheDirectory) {
  const ScratchDir dir;
  auto sink = FileSink::create(dir / "core");
  ASSERT_TRUE(sink);
  const Result<std::uint64_t> space = (*sink)->free_space();
  ASSERT_TRUE(space);
  const double expected = static_cast<double>(std::filesystem::space(dir.path()).available);
  EXPECT_NEAR(static_cast<double>(*space), expected, expected / 2);
}

TEST(FileSink, AFullFileSystemIsAClearErrorAndLeavesNothing) {
  const ScratchDir dir;
  const int answer = in_small_file_system(dir.path(), [](const std::string& at) {
    auto sink = FileSink::create(at + "/core");
    if (!sink) return 1;
    const Result<std::uint64_t> space = (*sink)->free_space();
    if (!space || *space > (1u << 20) || *space < (1u << 19)) return 2;
    const std::vector<std::byte> part(100 << 10, std::byte{7});
    for (int i = 0; i < 20; ++i) {
      const Result<> written = (*sink)->write(part);
      if (written) continue;
      if (written.error().os != ENOSPC || written.error().subject != at + "/core") return 3;
      sink->reset();
      if (!std::filesystem::is_empty(at)) return 4;
      // The space is free again: the next dump fits.
      auto next = FileSink::create(at + "/core");
      if (!next || !(*next)->write(part) || !(*next)->commit()) return 5;
      return 0;
    }
    return 6;
  });
  if (answer == 77 && std::getenv("DOPPEL_REQUIRE_LIVE") == nullptr) {
    GTEST_SKIP() << "no mount namespace to be had here";
  }
  EXPECT_EQ(answer, 0);
}

}  // namespace
}  // namespace doppel::test
