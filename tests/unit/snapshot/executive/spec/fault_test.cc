// SPDX-License-Identifier: Apache-2.0
//
// Determinism, and what a failure anywhere leaves behind: nothing.
#include <array>
#include <functional>

#include <snapshot/executive/win32/create_process.h>

#include "executive_world.h"

namespace doppel {
namespace {

class ExecutiveFaultSpec : public ExecutiveSpec {
 protected:
  /// Runs `operation` with its first fault point failing, then the second, until none is left.
  /// Every failed run must leave all counts as they were.
  std::uint64_t sweep(const std::function<NtStatus()>& operation,
                      const std::function<void()>& undo) {
    for (std::uint64_t k = 1;; ++k) {
      const Counters before = executive->counters();
      const std::size_t processes = executive->processes().size();
      const std::size_t threads = executive->threads().size();
      executive->faults() = FaultPlan::nth_of_all(k);
      const NtStatus answer = operation();
      const bool failed = executive->faults().failed() != 0;
      executive->faults() = {};
      if (!failed) {
        EXPECT_EQ(answer, status::success);
        undo();
        EXPECT_EQ(executive->counters(), before);
        return k - 1;
      }
      // Some points are lived with; then the call has succeeded as a whole.
      if (answer.succeeded()) undo();
      EXPECT_TRUE(answer.succeeded() || expected(answer)) << k << ": " << std::hex << answer.value;
      EXPECT_EQ(executive->counters(), before) << k;
      EXPECT_EQ(executive->processes().size(), processes) << k;
      EXPECT_EQ(executive->threads().size(), threads) << k;
      EXPECT_EQ(executive->broken_invariant(), "") << k;
      if (HasFailure()) return k;
    }
  }

  static bool expected(NtStatus answer) {
    for (const NtStatus status :
         {status::no_memory, status::commitment_limit, status::insufficient_resources,
          status::access_violation, status::in_page_error, status::invalid_image_format,
          status::sharing_violation, status::disk_full, status::lock_not_granted,
          status::partial_copy}) {
      if (answer == status) return true;
    }
    return false;
  }
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveFaultSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveFaultSpec, T46_rollback_of_create) {
  install("counter.exe");
  HandleValue process = 0;
  const std::uint64_t points = sweep(
      [&] {
        HandleValue file = 0, section = 0;
        NtStatus done =
            open_file(nt(), "counter.exe", file_access::execute, 7, FileDisposition::open, file);
        if (!done.succeeded()) return done;
        done = nt().create_section(section, section_access::all, {}, 0, page::execute, sec::image,
                                   file);
        EXPECT_EQ(nt().close(file), status::success);
        if (!done.succeeded()) return done;
        done = nt().create_process(process, process_access::all, {}, kCurrentProcess, true, section,
                                   0, 0);
        EXPECT_EQ(nt().close(section), status::success);
        return done;
      },
      [&] { EXPECT_EQ(nt().close(process), status::success); });
  EXPECT_GT(points, 8u);
}

TEST_P(ExecutiveFaultSpec, T46_rollback_of_user_create) {
  install("counter.exe");
  HandleValue kept = 0;
  ASSERT_EQ(nt().create_event(kept, 0x1F0003, {.attributes = object_attribute::inherit}, 0, false),
            status::success);
  Started started;
  const std::uint64_t points = sweep(
      [&] {
        started = {};
        return start(nt(), "counter.exe", started, true, process_flag::inherit_handles);
      },
      [&] {
        EXPECT_EQ(nt().terminate_process(started.process, status::success), status::success);
        EXPECT_EQ(nt().close(started.process), status::success);
        EXPECT_EQ(nt().close(started.thread), status::success);
      });
  EXPECT_GT(points, 15u);
}

TEST_P(ExecutiveFaultSpec, T46_rollback_of_clone) {
  install("counter.exe");
  const Started started = start("counter.exe");
  executive->stepper().step(500);
  HandleValue copy = 0;
  const std::uint64_t points = sweep(
      [&] {
        return nt().create_process_ex(copy, process_access::all, {}, started.process,
                                      process_flag::inherit_handles, 0, 0, 0);
      },
      [&] { EXPECT_EQ(nt().close(copy), status::success); });
  EXPECT_GT(points, 10u);
}

TEST_P(ExecutiveFaultSpec, T46_rollback_of_fork) {
  install("counter.exe");
  const Started started = start("counter.exe");
  executive->stepper().step(500);
  NtThread& thread = thread_of(started.thread);
  NtApi its(*executive, {.process = thread.process.get(), .thread = &thread});
  HandleValue child = 0, child_thread = 0;
  const std::uint64_t points = sweep(
      [&] {
        UserProcessInfo info;
        UserProcessAttributes attributes;
        return its.create_user_process(child, child_thread, access::maximum_allowed,
                                       access::maximum_allowed, {}, {},
                                       process_flag::inherit_handles, 0, nullptr, info, attributes);
      },
      [&] {
        EXPECT_EQ(its.terminate_process(child, status::success), status::success);
        EXPECT_EQ(its.close(child), status::success);
        EXPECT_EQ(its.close(child_thread), status::success);
      });
  EXPECT_GT(points, 10u);
}

TEST_P(ExecutiveFaultSpec, T46_rollback_of_win32_create) {
  install("counter.exe");
  for (const bool classic : {true, false}) {
    Win32 win32(nt());
    ProcessInformation made;
    const std::uint64_t points = sweep(
        [&] {
          NtStatus native;
          const Win32Error error = create_process(
              win32, {.application = "C:\\counter.exe", .suspended = true, .classic = classic},
              made, &native);
          EXPECT_EQ(error == win32_error::success, native.succeeded());
          return native;
        },
        [&] {
          EXPECT_EQ(nt().terminate_process(made.process, status::success), status::success);
          EXPECT_EQ(nt().close(made.process), status::success);
          EXPECT_EQ(nt().close(made.thread), status::success);
        });
    EXPECT_GT(points, 15u) << classic;
  }
}

TEST_P(ExecutiveFaultSpec, T46_rollback_of_threads_and_objects) {
  install("counter.exe");
  const Started started = start("counter.exe", true);
  HandleValue handle = 0;
  sweep(
      [&] {
        return nt().create_thread_ex(handle, thread_access::all, {}, started.process, 0x1000, 0,
                                     thread_flag::create_suspended, 0, 0);
      },
      [&] {
        const NtThread& thread = thread_of(handle);
        std::uint64_t stack = read<std::uint64_t>(started.process, thread.teb + 0x1478), size = 0;
        EXPECT_EQ(nt().terminate_thread(handle, status::success), status::success);
        EXPECT_EQ(nt().close(handle), status::success);
        EXPECT_EQ(nt().free_virtual_memory(started.process, stack, size, mem::release),
                  status::success);
      });
  sweep(
      [&] { return nt().create_event(handle, 0x1F0003, named("\\BaseNamedObjects\\x"), 0, false); },
      [&] { EXPECT_EQ(nt().close(handle), status::success); });
  sweep(
      [&] {
        return nt().create_section(handle, section_access::all, named("\\BaseNamedObjects\\y"),
                                   0x10000, page::readwrite, sec::commit, 0);
      },
      [&] { EXPECT_EQ(nt().close(handle), status::success); });
  sweep(
      [&] {
        return open_file(nt(), "new", access::generic_write | access::delete_object, 0,
                         FileDisposition::create, handle, file_option::delete_on_close);
      },
      [&] {
        EXPECT_EQ(nt().close(handle), status::success);
        EXPECT_FALSE(executive->files().find("new"));
      });
}

TEST_P(ExecutiveFaultSpec, T45_determinism) {
  const auto run = [&](std::uint64_t seed) {
    parent.reset();
    ExecutiveOptions options;
    options.seed = seed;
    options.schedule.policy = SchedulePolicy::seeded;
    executive = std::make_unique<Executive>(options);
    parent = std::make_unique<HostActor>(*executive, "parent");
    install("server.exe");
    install("client.exe");
    const Started server = start("server.exe");
    executive->stepper().step(3000);
    const Started client = start("client.exe");
    EXPECT_EQ(wait(client.process), status::success);
    EXPECT_EQ(exit_status(client.process), 0u);
    EXPECT_EQ(wait(server.process), status::success);
    EXPECT_EQ(exit_status(server.process), 0u);
    return executive->stepper().trace_hash();
  };
  const std::uint64_t hash = run(GetParam());
  EXPECT_EQ(run(GetParam()), hash);
  EXPECT_NE(run(GetParam() + 100), hash);
}

TEST_P(ExecutiveFaultSpec, everything_closed_is_as_after_boot) {
  install("counter.exe");
  install("forker.exe");
  {
    const Started one = start("counter.exe");
    const Started two = start("forker.exe");
    executive->stepper().step(2000);
    clone(one.process);
    clone(two.process, process_flag::inherit_handles);
    executive->stepper().step(2000);
    EXPECT_EQ(nt().terminate_process(one.process, status::success), status::success);
    EXPECT_EQ(wait(two.process), status::success);
  }
  parent.reset();
  EXPECT_EQ(executive->counters(), executive->boot_counters()) << "I7";
}

}  // namespace
}  // namespace doppel
