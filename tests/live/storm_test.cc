// SPDX-License-Identifier: Apache-2.0
//
// Victims that never rest - threads, children, mappings and signals come and go, the program itself
// is replaced - each captured a hundred times in a row.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fstream>

#include <dumpwriter/formats.h>
#include <dumpwriter/plan/selection.h>
#include <tests/live/capturing.h>
#include <tests/support/sanitizer.h>

namespace doppel {
namespace {

// The hundred is for the program as it is shipped; a sanitizer needs the code to run, not so often.
constexpr int kCaptures = kSanitized ? 20 : 100;

/// Lays the dump out too, so that what a storm leaves in the image is seen by the planner.
void expect_plannable(const Snapshot& snapshot) {
  auto sound = check_image(snapshot.image);
  DOPPEL_ASSERT_OK(sound);
  auto selection = select(snapshot.image, *snapshot.memory);
  DOPPEL_ASSERT_OK(selection);
  const DumpFormat* format = find_format("elf");
  ASSERT_NE(format, nullptr);
  auto plan = format->plan(snapshot.image, *selection);
  DOPPEL_ASSERT_OK(plan);
  EXPECT_GT(plan->size(), 4096u);
}

struct Kind {
  std::string name;
  std::vector<std::string> arguments;
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class Storm : public testing::TestWithParam<Kind> {};

TEST_P(Storm, HundredCapturesInARow) {
  LiveTarget target(GetParam().name, GetParam().arguments);
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target, true);
  for (int i = 0; i < kCaptures; ++i) {
    SCOPED_TRACE(i);
    auto snapshot = capture(target.pid());
    if (!snapshot) FAIL() << text(snapshot.error()) << "; " << target.finish().failure;
    expect_plannable(*snapshot);
  }
  EXPECT_EQ(unharmed.harm(), "");
  const std::string mark = target.mark();
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
  for (const std::string& report : ending.reports)
    std::printf("%s %s\n", GetParam().name.c_str(), report.c_str());
  // The victim's own children are gone with it; what still carries its mark is ours.
  std::string left;
  for (const std::string& line : related_processes(mark, {}, {})) left += line + "\n";
  EXPECT_EQ(left, "");
}

INSTANTIATE_TEST_SUITE_P(All, Storm,
                         testing::Values(Kind{"thread_churn", {"2"}}, Kind{"map_churn", {"2"}},
                                         Kind{"forker", {}}, Kind{"signal_storm", {}},
                                         Kind{"rseq_spinner", {"4"}}),
                         [](const auto& each) { return each.param.name; });

// Time between two execs, in ms. A program that is replaced faster than doppel can look at it is
// never captured, and with a sanitizer doppel looks slowly.
constexpr const char* kExecInterval = kSanitized ? "100" : "3";

// Every capture is one instant, or is refused because the program was just being replaced.
TEST(ExecLoop, HundredCapturesInARow) {
  LiveTarget target("exec_loop", {"0", kExecInterval});
  const Unharmed unharmed(target, true);
  int taken = 0;
  for (int i = 0; i < kCaptures; ++i) {
    SCOPED_TRACE(i);
    auto snapshot = capture(target.pid());
    if (!snapshot) {
      // An address space that was replaced under the preflight is refused, never captured half.
      EXPECT_TRUE(snapshot.error().code == Errc::gone || snapshot.error().os == 0)
          << text(snapshot.error());
      continue;
    }
    ++taken;
    expect_plannable(*snapshot);
    EXPECT_GE(snapshot->image.threads.size(), 1u);
    EXPECT_LE(snapshot->image.threads.size(), 2u);
  }
  std::printf("exec_loop: %d of %d captures taken\n", taken, kCaptures);
  EXPECT_GE(taken, kCaptures / 2);
  EXPECT_EQ(unharmed.harm(), "");
  const std::string mark = target.mark();
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
  EXPECT_TRUE(related_processes(mark, {}, {}).empty());
}

/// Lets the program execute itself between the attach to one thread and to the next.
class ExecsBetweenAttaches : public Sys {
 public:
  explicit ExecsBetweenAttaches(pid_t target) : target_(target) {}

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    const bool attach =
        number == SYS_ptrace && a == PTRACE_SEIZE && (b == target_ || attached_ > 0);
    if (attach && ++attached_ == 2) second_ = static_cast<pid_t>(b);
    if (attach && attached_ == 3) {
      Sys::invoke(SYS_kill, target_, SIGUSR1, 0, 0, 0, 0);
      // The second thread is dead, and nobody but the tracer can bury it: now the exec waits.
      const std::string dead = "/proc/" + std::to_string(second_) + "/stat";
      char state = 0;
      while (state != 'Z' && state != 'X') {
        std::ifstream stat(dead);
        std::string word;
        stat >> word >> word >> state;
        if (!stat) break;
      }
    }
    return Sys::invoke(number, a, b, c, d, e, f);
  }

 private:
  pid_t target_;
  int attached_ = 0;
  pid_t second_ = 0;
};

#if !defined(__SANITIZE_THREAD__)  // it keeps signals back until a call that it knows
// The exec waits for a dead thread that only the tracer can bury, and holds what the tracer's
// attach to the next thread waits for.
TEST(Exec, BetweenTwoAttachesGoesOn) {
  LiveTarget target("exec_on_signal");
  const Unharmed unharmed(target, true);
  ExecsBetweenAttaches sys(target.pid());
  auto snapshot = capture(target.pid(), SharedMemory::live, Engine::automatic, sys);
  EXPECT_EQ(target.next_line(), "again");
  if (!snapshot) {
    EXPECT_TRUE(snapshot.error().code == Errc::gone || snapshot.error().os == 0)
        << text(snapshot.error());
  } else {
    *snapshot = Snapshot{};
  }
  EXPECT_EQ(unharmed.harm(), "");
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

#endif

struct End {
  const char* how;
  int status;
};

class Exiter : public testing::TestWithParam<End> {};

// The capture races with the end: it takes the process or says that it is gone, and the parent sees
// the status that the process meant.
TEST_P(Exiter, HundredCapturesInARow) {
  int taken = 0;
  for (int i = 0; i < kCaptures; ++i) {
    SCOPED_TRACE(i);
    const OwnPicture before = take_own_picture();
    std::string mark;
    {
      LiveTarget target("exiter", {std::to_string(300 + i * 400), GetParam().how});
      mark = target.mark();
      auto snapshot = capture(target.pid());
      if (snapshot) {
        ++taken;
        expect_plannable(*snapshot);
      } else {
        // The memory of a process whose first thread has ended cannot be reached by its number.
        const bool allowed =
            snapshot.error().code == Errc::gone || snapshot.error().code == Errc::unsupported;
        EXPECT_TRUE(allowed) << text(snapshot.error());
      }
      if (snapshot) *snapshot = Snapshot{};
      const Ending ending = target.finish(20000);
      EXPECT_EQ(ending.status & ~0x80, GetParam().status) << ending.failure;
    }
    // The clone of a process that is gone is init's to reap; it takes a moment.
    std::vector<std::string> left;
    for (int wait = 0; wait < 1000 && !(left = related_processes(mark, {}, {})).empty(); ++wait)
      usleep(1000);
    EXPECT_TRUE(left.empty()) << left[0];
    std::string own;
    for (int wait = 0; wait < 1000 && !(own = describe(before, take_own_picture())).empty(); ++wait)
      usleep(1000);
    EXPECT_EQ(own, "");
  }
  std::printf("exiter %s: %d of %d captures taken\n", GetParam().how, taken, kCaptures);
}

INSTANTIATE_TEST_SUITE_P(All, Exiter,
                         testing::Values(End{"exit", 42 << 8}, End{"signal", SIGUSR1},
                                         End{"leader", 43 << 8}),
                         [](const auto& each) { return each.param.how; });

// Stamps that run through four kinds of memory prove that a snapshot is one instant.
TEST(Generations, HundredSnapshotsAreOneInstantEach) {
  LiveTarget target("generations", {"256"});
  const Unharmed unharmed(target, true);
  const std::uint64_t pages = target.number("pages");
  std::uint64_t last = 0;
  int moved = 0;
  for (int i = 0; i < kCaptures; ++i) {
    SCOPED_TRACE(i);
    auto snapshot = capture(target.pid());
    DOPPEL_ASSERT_OK(snapshot);
    for (std::uint64_t half : {0ul, 2048ul}) {
      std::uint64_t before = 0, first = 0;
      for (std::uint64_t page = 0; page < pages; ++page) {
        const std::uint64_t base = target.number("base" + std::to_string(page % 4));
        const auto stamp = word_at(*snapshot, base + page / 4 * 4096 + half);
        ASSERT_TRUE(stamp.has_value()) << "page " << page;
        if (page == 0) {
          first = *stamp;
        } else {
          ASSERT_LE(*stamp, before) << "page " << page << " is newer than the one before";
        }
        before = *stamp;
      }
      ASSERT_LE(first, before + 1)
          << "the first page is more than one generation ahead of the last";
      if (half == 0) {
        if (first != last) ++moved;
        last = first;
      }
    }
  }
  // The writers ran all the time: without that the proof is empty.
  EXPECT_GT(moved, kCaptures / 2);
  EXPECT_EQ(unharmed.harm(), "");
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

}  // namespace
}  // namespace doppel
