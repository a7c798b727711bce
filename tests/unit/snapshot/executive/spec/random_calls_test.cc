// SPDX-License-Identifier: Apache-2.0
//
// System calls with any numbers and any arguments, from a guest: every one answers a status, no
// invariant breaks, and when everybody is dead nothing is left.
#include <array>
#include <random>

#include "executive_world.h"

#include <snapshot/executive/cpu/guest_services.h>
#include <snapshot/executive/native/dispatch.h>

namespace doppel {
namespace {

class ExecutiveRandomCalls : public ExecutiveSpec {
 protected:
  /// Small numbers, flags, handles, addresses of the guest, and the edges of all of them.
  std::uint64_t argument() {
    switch (random_() % 20) {
      case 0:
        return 0;
      case 1:
        return random_() % 8;
      case 2:
        return ~std::uint64_t{0} - random_() % 3;
      case 3:
        return 4 * (1 + random_() % 24);
      case 4:
        return scratch_ + random_() % 0x3000;
      case 5:
        return scratch_ + 8 * (random_() % 64);
      case 6:
        return std::uint64_t{1} << random_() % 64;
      case 7:
        return kUserEnd - random_() % 0x2000;
      case 8:
        return 0x1000u << random_() % 6;
      case 9:
        return 0x1F0FFF;
      case 10:
        return 0x10000 * (random_() % 64);
      default:
        return random_();
    }
  }

  std::uint32_t service() {
    static constexpr std::array<std::uint32_t, 5> kFirst = {0x001, 0x040, 0x080, 0x0C0, 0x100};
    return kFirst[random_() % kFirst.size()] + static_cast<std::uint32_t>(random_() % 0x19);
  }

  /// Words that look like records: lengths, pointers into the scratch memory, handles.
  void fill_scratch(Process& process) {
    for (std::uint64_t at = 0; at < 0x400; at += 8) {
      const std::uint64_t word = random_() % 3 == 0 ? 48 : argument();
      PageFault fault;
      [[maybe_unused]] const bool stored =
          process.space->store(scratch_ + at, std::as_bytes(std::span(&word, 1)), fault);
    }
  }

  std::mt19937_64 random_{GetParam()};
  std::uint64_t scratch_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveRandomCalls, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveRandomCalls, any_call_answers) {
  install("counter.exe");
  std::uint64_t answered = 0, succeeded = 0;
  for (int life = 0; life < 150; ++life) {
    Started started = start("counter.exe", true);
    scratch_ = allocate(started.process, 3);
    const ObjectRef<NtThread> thread(&thread_of(started.thread));
    for (int i = 0; i < 100; ++i) {
      if (!thread->runnable() && thread->suspend_count == 0) break;
      thread->suspend_count = 1;  // it makes no step of its own
      fill_scratch(*thread->process);
      ServiceArguments arguments;
      for (std::uint64_t& value : arguments) value = argument();
      const NtStatus answer = dispatch(*executive, *thread, service(), arguments);
      ++answered;
      succeeded += answer.succeeded() ? 1 : 0;
      ASSERT_EQ(executive->broken_invariant(), "") << life << " " << i;
      if (thread->terminated()) break;
    }
    executive->system_crash_port = {};
    if (!process_of(started.process).signalled) {
      ASSERT_EQ(nt().terminate_process(started.process, status::success), status::success);
    }
    ASSERT_EQ(nt().close(started.process), status::success);
    ASSERT_EQ(nt().close(started.thread), status::success);
  }
  RecordProperty("answered", static_cast<int>(answered));
  RecordProperty("succeeded", static_cast<int>(succeeded));
  EXPECT_GT(answered, 1000u);
  EXPECT_GT(succeeded, 50u);
  // What the guests made may run on: processes and threads of theirs.
  for (int i = 0; i < 100 && executive->processes().size() > 1; ++i) {
    const std::uint32_t id = executive->processes().rbegin()->first;
    HostActor system(*executive, "system", system_token(), {}, CallerMode::kernel);
    HandleValue handle = 0;
    const ClientId client{id, 0};
    ASSERT_EQ(system.nt().open_process(handle, process_access::terminate, {}, &client),
              status::success);
    ASSERT_EQ(system.nt().terminate_process(handle, status::success), status::success);
  }
  parent.reset();
  EXPECT_EQ(executive->processes().size(), 0u);
  EXPECT_EQ(executive->counters().frames, 0u);
  EXPECT_EQ(executive->counters().commit, 0u);
  EXPECT_EQ(executive->counters().handles, 0u);
  EXPECT_EQ(executive->counters().locks, 0u);
}

}  // namespace
}  // namespace doppel
