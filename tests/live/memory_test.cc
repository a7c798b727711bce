// SPDX-License-Identifier: Apache-2.0
//
// What a snapshot holds, mapping by mapping, against what the stopped process holds; and that the
// process itself keeps every byte and stays as stopped as it was.
#include <fcntl.h>
#include <signal.h>
#include <sys/rseq.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <tests/live/capturing.h>

namespace doppel {
namespace {

using Bytes = std::vector<std::byte>;

/// Stops the victim as a shell would, and waits until all its threads are.
void stop(const LiveTarget& target) {
  ASSERT_EQ(::kill(target.pid(), SIGSTOP), 0);
  int status;
  ASSERT_EQ(::waitpid(target.started(), &status, WUNTRACED), target.started());
  ASSERT_TRUE(WIFSTOPPED(status));
}

Bytes read_process(pid_t pid, AddressRange range) {
  UniqueFd memory(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  Bytes bytes(range.size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(memory.get(), bytes.data() + done,
                                std::min<std::size_t>(bytes.size() - done, 1 << 20),
                                static_cast<off_t>(range.begin.value + done));
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

struct Mapping {
  AddressRange range;
  std::string access, path, line;
};

std::vector<Mapping> mappings_of(pid_t pid) {
  std::vector<Mapping> found;
  std::istringstream text(read_text("/proc/" + std::to_string(pid) + "/maps"));
  for (std::string line; std::getline(text, line);) {
    std::uint64_t begin = 0, end = 0;
    char access[5] = "";
    int path_at = 0;
    std::sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %*s %n", &begin, &end, access, &path_at);
    found.push_back({{Address{begin}, end - begin},
                     access,
                     line.substr(static_cast<std::size_t>(path_at)),
                     line});
  }
  return found;
}

using Contents = std::map<std::uint64_t, Bytes>;

/// All readable private memory of the process, by mapping.
Contents private_memory(pid_t pid) {
  Contents found;
  for (const Mapping& mapping : mappings_of(pid)) {
    if (mapping.access[3] != 'p' || mapping.access[0] != 'r' || mapping.path.starts_with("[v"))
      continue;
    found[mapping.range.begin.value] = read_process(pid, mapping.range);
  }
  return found;
}

/// True for the numbers of processor, node and concurrency in a thread's rseq words, which the
/// kernel renews when the thread runs on another processor, as often as it likes: a snapshot may
/// hold a value of which neither the time before nor after knows. Where the C library keeps them,
/// from the test's own: the victims have the same. rseq_cs, in between, is the program's.
bool kernel_renews(const Snapshot& snapshot, std::uint64_t address) {
  for (const Thread& thread : snapshot.image.threads) {
    const std::uint64_t words =
        thread.registers.general.fs_base + static_cast<std::uint64_t>(__rseq_offset);
    const std::uint64_t at = address - words;
    if (at < 8 || (at >= 20 && at < 32)) return true;
  }
  return false;
}

/// Compares the snapshot with what the process held before and after it; returns what is neither.
std::string compare_private(const Snapshot& snapshot, const Contents& before, const Contents& after,
                            std::uint64_t& compared) {
  std::string found;
  for (const auto& [begin, old] : before) {
    if (omission_at(snapshot.image, begin) != nullptr || !after.contains(begin)) continue;
    const Bytes& there = after.at(begin);
    Bytes here(old.size());
    std::size_t done = 0;
    while (done < here.size()) {
      auto got = snapshot.memory->read(Address{begin + done}, std::span(here).subspan(done));
      if (!got) {
        found += "unreadable at " + std::to_string(begin + done) + "\n";
        break;
      }
      done += *got;
    }
    compared += done;
    for (std::size_t i = 0; i < done; ++i)
      if (here[i] != old[i] && here[i] != there[i] && !kernel_renews(snapshot, begin + i)) {
        std::ostringstream where;
        where << std::hex << begin + i;
        found += "differs at 0x" + where.str() + "\n";
        break;
      }
  }
  return found;
}

class Bytewise : public testing::TestWithParam<std::vector<std::string>> {};

// Every byte of private memory, rseq_cs of the thread that was borrowed included.
TEST_P(Bytewise, PrivateMemoryIsTheProcesss) {
  LiveTarget target(GetParam()[0], {GetParam().begin() + 1, GetParam().end()});
  DOPPEL_SKIP_IF(target.skip_reason());
  stop(target);
  const Unharmed unharmed(target);
  for (int i = 0; i < 5; ++i) {
    const Contents before = private_memory(target.pid());
    auto snapshot = capture(target.pid());
    DOPPEL_ASSERT_OK(snapshot);
    std::uint64_t compared = 0;
    EXPECT_EQ(compare_private(*snapshot, before, private_memory(target.pid()), compared), "");
    EXPECT_GT(compared, 1u << 20);
  }
  EXPECT_EQ(unharmed.harm(), "") << "a stopped process stays stopped";
  // No one was told of a change: still stopped, not stopped anew, not continued.
  int status;
  EXPECT_EQ(::waitpid(target.started(), &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
  ASSERT_EQ(::kill(target.pid(), SIGCONT), 0);
  EXPECT_EQ(::waitpid(target.started(), &status, WCONTINUED), target.started());
  EXPECT_TRUE(WIFCONTINUED(status));
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

INSTANTIATE_TEST_SUITE_P(Targets, Bytewise,
                         testing::Values(std::vector<std::string>{"quiet", "1024"},
                                         std::vector<std::string>{"busy_threads", "3", "2"},
                                         std::vector<std::string>{"rseq_spinner", "4"},
                                         std::vector<std::string>{"tls_vars"},
                                         std::vector<std::string>{"in_handler"},
                                         std::vector<std::string>{"deep_stack"}),
                         [](const auto& each) { return each.param[0]; });

// A hole of shared memory that is read is filled, in the target's own memory and for good.
TEST(SharedMemoryReadInTheStop, KeepsItsHoles) {
  LiveTarget target("sparse_shared");
  DOPPEL_SKIP_IF(target.skip_reason());
  auto snapshot = capture(target.pid(), SharedMemory::copy);
  DOPPEL_ASSERT_OK(snapshot);
  const std::uint64_t begin = target.number("begin"), last = target.number("last");
  EXPECT_EQ(word_at(*snapshot, begin), mix(1));
  EXPECT_EQ(word_at(*snapshot, last), mix(2));
  EXPECT_EQ(torn_at(snapshot->image, begin), nullptr);
  EXPECT_EQ(torn_at(snapshot->image, last), nullptr);
  EXPECT_NE(torn_at(snapshot->image, begin + 4096), nullptr) << "somebody else's, if anybody's";
  auto extents = snapshot->memory->survey({Address{begin}, target.number("size")});
  DOPPEL_ASSERT_OK(extents);
  std::uint64_t data = 0;
  for (const Extent& extent : *extents) {
    if (extent.kind == Extent::Kind::data) data += extent.range.size;
  }
  EXPECT_EQ(data, 2u * 4096);
  *snapshot = Snapshot{};
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

// Not one byte of the target is written, no page of its text becomes its own.
TEST(TargetMemory, KeepsEveryByte) {
  LiveTarget target("quiet", {"512", "0"});
  stop(target);
  std::map<std::uint64_t, Bytes> before;
  for (const Mapping& mapping : mappings_of(target.pid()))
    if (mapping.access[0] == 'r' && !mapping.path.starts_with("[v"))
      before[mapping.range.begin.value] = read_process(target.pid(), mapping.range);
  auto dirty_text = [&] {
    std::string dirty;
    std::istringstream text(read_text("/proc/" + std::to_string(target.pid()) + "/smaps"));
    bool executable = false;
    for (std::string line; std::getline(text, line);) {
      if (line.find('-') < 17 && line.find(" r-xp ") != std::string::npos)
        executable = true;
      else if (line.find('-') < 17)
        executable = false;
      if (executable && (line.starts_with("Private_Dirty:") || line.starts_with("Anonymous:")))
        dirty += line + "\n";
    }
    return dirty;
  };
  const std::string dirty_before = dirty_text();
  ASSERT_NE(dirty_before, "");
  for (int i = 0; i < 5; ++i) {
    auto snapshot = capture(target.pid());
    DOPPEL_ASSERT_OK(snapshot);
  }
  // The processor number in the thread's rseq words is the kernel's to renew.
  const std::uint64_t rseq = target.number("rseq");
  for (const auto& [begin, bytes] : before) {
    const Bytes now = read_process(target.pid(), {Address{begin}, bytes.size()});
    ASSERT_EQ(now.size(), bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i)
      ASSERT_TRUE(now[i] == bytes[i] || begin + i - rseq < 32)
          << "changed at " << std::hex << begin + i;
  }
  EXPECT_EQ(dirty_text(), dirty_before);
  ::kill(target.pid(), SIGCONT);
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

// Each kind of mapping is captured, or is said to be missing; never is a false zero shown.
TEST(OddMaps, AreHeldOrOwnedUpTo) {
  LiveTarget target("odd_maps");
  auto snapshot = capture(target.pid());
  DOPPEL_ASSERT_OK(snapshot);
  const ProcessImage& image = snapshot->image;
  auto at = [&](const char* name, std::uint64_t page = 0) {
    return target.number(name) + page * 4096;
  };
  auto holds = [&](const char* name, std::uint64_t kind, std::uint64_t page) {
    SCOPED_TRACE(name);
    EXPECT_EQ(word_at(*snapshot, at(name, page)), kind << 32 | page * 4096) << "page " << page;
    EXPECT_EQ(omission_at(image, at(name, page)), nullptr);
  };
  auto region = [&](const char* name) -> const Region* {
    for (const Region& each : image.regions)
      if (each.range.contains(Address{at(name)})) return &each;
    return nullptr;
  };
  holds("plain", 1, 0);
  holds("plain", 1, 15);
  holds("sparse", 16, 0);
  holds("locked", 19, 7);
  holds("none", 12, 3);
  if (target.fact("sealed") != "none") holds("sealed", 18, 2);
  for (const char* name : {"shared_anonymous", "shared_memfd", "shared_file", "sysv"}) {
    SCOPED_TRACE(name);
    EXPECT_NE(torn_at(image, at(name)), nullptr)
        << "shared memory is not of the instant, and must say so";
  }
  holds("shared_anonymous", 5, 9);
  holds("shared_memfd", 6, 9);
  holds("shared_file", 7, 9);
  holds("sysv", 8, 9);
  holds("truncated", 13, 1);
  EXPECT_EQ(word_at(*snapshot, at("truncated", 6)), std::nullopt) << "past the end of the file";
  holds("private_written", 15, 3);
  EXPECT_EQ(word_at(*snapshot, at("private_written", 12)), 14ull << 32 | 12 * 4096)
      << "not written: the file's";
  EXPECT_EQ(word_at(*snapshot, at("zero_touched", 2)), 0u);
  // A clone lacks these; either they were read in the stop, or they are omitted and say why.
  for (const auto& [name, kind] : {std::pair{"dont_fork", 2ull}, std::pair{"wipe_on_fork", 3ull}}) {
    SCOPED_TRACE(name);
    const auto word = word_at(*snapshot, at(name, 1));
    if (omission_at(image, at(name, 1)) != nullptr) {
      EXPECT_NE(word, 0u) << "omitted, and yet shown as zero";
    } else {
      EXPECT_EQ(word, kind << 32 | 4096);
    }
    ASSERT_NE(region(name), nullptr) << "the region is listed, whatever its bytes";
  }
  EXPECT_TRUE(region("dont_fork")->traits.dont_fork);
  EXPECT_TRUE(region("wipe_on_fork")->traits.wipe_on_fork);
  EXPECT_TRUE(region("dont_dump")->traits.dont_dump);
  if (target.fact("secret") != "none") {
    EXPECT_EQ(word_at(*snapshot, at("secret")), std::nullopt);
    EXPECT_NE(omission_at(image, at("secret")), nullptr);
  }
  if (target.fact("guarded") != "none") {
    holds("guarded", 11, 3);
    EXPECT_EQ(word_at(*snapshot, at("guarded", 4)), std::nullopt) << "a guard page cannot be read";
    holds("guarded", 11, 5);
  }
  snapshot = capture(target.pid(), SharedMemory::copy);
  DOPPEL_ASSERT_OK(snapshot);
  EXPECT_EQ(torn_at(snapshot->image, at("shared_memfd")), nullptr)
      << "copied in the stop: of the instant";
  EXPECT_EQ(word_at(*snapshot, at("shared_memfd", 9)), 6ull << 32 | 9 * 4096);
  snapshot = capture(target.pid(), SharedMemory::omit);
  DOPPEL_ASSERT_OK(snapshot);
  const Omission* asked = omission_at(snapshot->image, at("shared_memfd"));
  ASSERT_NE(asked, nullptr);
  EXPECT_TRUE(asked->asked);
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

TEST(BigSparse, IslandsAndNothingElse) {
  LiveTarget target("big_sparse");
  auto snapshot = capture(target.pid());
  DOPPEL_ASSERT_OK(snapshot);
  const std::uint64_t base = target.number("base"),
                      step = target.number("size") / target.number("islands");
  for (std::uint64_t i = 0; i < target.number("islands"); ++i)
    EXPECT_EQ(word_at(*snapshot, base + i * step + 8192), mix(i));
  auto extents = snapshot->memory->survey({Address{base}, target.number("size")});
  DOPPEL_ASSERT_OK(extents);
  std::uint64_t data = 0;
  for (const Extent& extent : *extents)
    if (extent.kind == Extent::Kind::data) data += extent.range.size;
  EXPECT_EQ(data, target.number("islands") * 4096);
  EXPECT_TRUE(target.finish().ok);
}

TEST(ManyMaps, AllAreListed) {
  LiveTarget target("many_maps", {"60000"});
  auto snapshot = capture(target.pid());
  DOPPEL_ASSERT_OK(snapshot);
  EXPECT_EQ(snapshot->image.regions.size(), mappings_of(target.pid()).size() - 0);
  for (std::uint64_t i = 0; i < 60000; i += 10)
    ASSERT_EQ(word_at(*snapshot, target.number("base") + i * 4096), mix(i));
  EXPECT_TRUE(target.finish().ok);
}

TEST(ManyThreads, AllHaveTheirRegisters) {
  LiveTarget target("many_threads", {"1500"});
  auto snapshot = capture(target.pid());
  DOPPEL_ASSERT_OK(snapshot);
  ASSERT_EQ(snapshot->image.threads.size(), 1501u);
  for (const Thread& thread : snapshot->image.threads) {
    EXPECT_TRUE(thread.registers.complete);
    EXPECT_NE(thread.registers.general.rsp, 0u);
    EXPECT_FALSE(thread.registers.xsave.empty());
    const std::string name = read_text("/proc/" + std::to_string(target.pid()) + "/task/" +
                                       std::to_string(thread.id) + "/comm");
    EXPECT_EQ(thread.name + "\n", name);
  }
  EXPECT_TRUE(target.finish().ok);
}

}  // namespace
}  // namespace doppel
