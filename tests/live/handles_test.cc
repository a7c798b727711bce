// SPDX-License-Identifier: Apache-2.0
//
// Promise 2: no handle is duplicated. While a snapshot is held the target gives everything up;
// whoever waits for it must have it at once. And at no instant of the capture does any task of ours
// hold a descriptor of the target's in a table of its own.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include <tests/live/capturing.h>

namespace doppel {
namespace {

TEST(Handles, AreFreeWhileTheSnapshotIsHeld) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  UniqueFd reader(fds[0]), writer(fds[1]);
  TempDir directory;
  LiveTargetOptions options;
  options.descriptor_three = writer.get();
  LiveTarget target("holder", {directory.path().string()}, options);
  writer.reset();
  auto snapshot = capture(target.pid());
  DOPPEL_ASSERT_OK(snapshot);
  ASSERT_TRUE(snapshot->memory != nullptr);
  EXPECT_GE(snapshot->image.handles.size(), 6u) << "handles are described";

  target.command("close");
  ASSERT_EQ(target.next_line(), "closed");
  pollfd end = {reader.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&end, 1, 0), 1) << "somebody still holds the write end";
  EXPECT_TRUE((end.revents & POLLHUP) != 0);
  char c;
  EXPECT_EQ(::read(reader.get(), &c, 1), 0);

  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(target.number("port")));
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0)
      << "the port is kept: " << std::strerror(errno);

  UniqueFd lock(::open(directory.file("lock").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0) << "the flock is kept";
  UniqueFd record(::open(directory.file("record").c_str(), O_RDWR | O_CLOEXEC));
  struct flock range = {};
  range.l_type = F_WRLCK;
  EXPECT_EQ(::fcntl(record.get(), F_SETLK, &range), 0) << "the record lock is kept";
  // A flock on a file that is also mapped lasts as long as any mapping of that open file (by the
  // kernel's design), so as long as the snapshot, and not longer.
  UniqueFd mapped(::open(directory.file("mapped").c_str(), O_RDWR | O_CLOEXEC));
  *snapshot = Snapshot{};
  EXPECT_EQ(::flock(mapped.get(), LOCK_EX | LOCK_NB), 0) << "the flock on a mapped file is kept";
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

/// Watches, after each of doppel's own system calls, every task that has the victim's mark: none
/// but the target itself may have descriptors, save through the target's own table. Tasks of ours
/// stand still between two of the calls that drive them, so no state is missed.
class WatchingSys : public Sys {
 public:
  explicit WatchingSys(const LiveTarget& target) : target_(target) {
    void* at =
        ::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    seen_ = new (at) Seen;
  }

  ~WatchingSys() override { ::munmap(seen_, sizeof(Seen)); }

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    const long value = Sys::invoke(number, a, b, c, d, e, f);
    // Only what drives another task can change what it holds.
    if (number == SYS_ptrace || number == SYS_waitid || number == SYS_wait4) look();
    return value;
  }

  int tasks_seen() const { return seen_->tasks; }

  int duplicates_seen() const { return seen_->duplicates; }

 private:
  struct Seen {
    std::atomic<int> tasks{0}, duplicates{0};
  };

  void look() {
    for (int tid : numbers_in("/proc/" + std::to_string(target_.pid()) + "/task"))
      look_at_children(tid);
  }

  void look_at_children(int tid) {
    std::string text = read_text("/proc/" + std::to_string(target_.pid()) + "/task/" +
                                 std::to_string(tid) + "/children");
    for (char* at = text.data(); *at != 0;) {
      char* end;
      const long child = std::strtol(at, &end, 10);
      if (end == at) break;
      at = *end == ' ' ? end + 1 : end;
      seen_->tasks.fetch_add(1);
      // Same table: nothing was copied, the target's own is looked at twice.
      if (::syscall(SYS_kcmp, child, target_.pid(), KCMP_FILES, 0, 0) == 0) continue;
      if (!numbers_in("/proc/" + std::to_string(child) + "/fd").empty())
        seen_->duplicates.fetch_add(1);
    }
  }

  const LiveTarget& target_;
  Seen* seen_;
};

TEST(Handles, AreNeverInASecondTable) {
  LiveTarget target("quiet");
  WatchingSys sys(target);
  auto snapshot = capture(target.pid(), SharedMemory::live, Engine::clone, sys);
  DOPPEL_ASSERT_OK(snapshot);
  EXPECT_GT(sys.tasks_seen(), 0) << "the watcher saw no clone at all: it proves nothing";
  EXPECT_EQ(sys.duplicates_seen(), 0);
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

// A process that ends while its snapshot is held leaves the snapshot whole, and its parent sees it
// end.
TEST(Handles, OutliveTheTarget) {
  LiveTarget target("quiet");
  const std::uint64_t heap = target.number("heap");
  auto snapshot = capture(target.pid());
  DOPPEL_ASSERT_OK(snapshot);
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
  for (std::uint64_t i = 0; i < 512; ++i) ASSERT_EQ(word_at(*snapshot, heap + i * 8), mix(i));
}

// Signals to the target's process group do not reach the clone, and its own do not reach the
// target.
TEST(Handles, TheCloneIsOutOfTheGroup) {
  LiveTarget target("quiet");
  const std::uint64_t heap = target.number("heap");
  const std::string mark = target.mark();
  auto snapshot = capture(target.pid());
  DOPPEL_ASSERT_OK(snapshot);
  ASSERT_EQ(::kill(-target.pid(), SIGKILL), 0);
  EXPECT_FALSE(target.finish().ok);
  EXPECT_EQ(word_at(*snapshot, heap + 8), mix(1));
  *snapshot = Snapshot{};
  std::vector<std::string> left;
  for (int wait = 0; wait < 1000 && !(left = related_processes(mark, {}, {})).empty(); ++wait)
    usleep(1000);
  EXPECT_TRUE(left.empty()) << left[0];
}

}  // namespace
}  // namespace doppel
