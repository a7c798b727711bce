// SPDX-License-Identifier: Apache-2.0
//
// The schedules and what may disturb them; lists of handles; what queries say.
#include <array>
#include <cstring>
#include <vector>

#include "executive_world.h"
#include "machine_code.h"

namespace doppel {
namespace {

class ExecutiveScheduleSpec : public ExecutiveSpec {
 protected:
  /// An executive with this schedule, and two threads that turn in circles.
  void run_two(Schedule schedule, FaultPlan faults = {}) {
    parent.reset();
    executive.reset();
    ExecutiveOptions options;
    options.seed = GetParam();
    options.schedule = std::move(schedule);
    executive = std::make_unique<Executive>(options, std::move(faults));
    parent = std::make_unique<HostActor>(*executive, "parent");
    install("counter.exe");
    process = create_from_section("counter.exe");
    const std::uint64_t place = allocate(process, 1, page::execute_readwrite);
    MachineCode spin;
    spin.raw({0xEB, 0xFE});
    std::size_t done = 0;
    ASSERT_EQ(nt().write_virtual_memory(process, place, spin.bytes(), done), status::success);
    for (HandleValue& thread : threads) {
      ASSERT_EQ(nt().create_thread_ex(thread, thread_access::all, {}, process, place, 0, 0, 0, 0),
                status::success);
    }
  }

  std::uint64_t ran(std::size_t which) { return thread_of(threads[which]).instructions; }

  HandleValue process = 0;
  std::array<HandleValue, 2> threads{};
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveScheduleSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveScheduleSpec, round_robin_gives_each_its_quantum) {
  run_two({.policy = SchedulePolicy::round_robin, .quantum = 10});
  executive->stepper().step(10);
  EXPECT_EQ(ran(0), 10u);
  EXPECT_EQ(ran(1), 0u);
  executive->stepper().step(10);
  EXPECT_EQ(ran(0), 10u);
  EXPECT_EQ(ran(1), 10u);
  executive->stepper().step(35);
  EXPECT_EQ(ran(0), 30u);
  EXPECT_EQ(ran(1), 25u);
}

TEST_P(ExecutiveScheduleSpec, a_script_says_who_runs) {
  // Ids: parent 8, process 12, its threads 16 and 20.
  run_two({.policy = SchedulePolicy::scripted, .quantum = 3, .script = {20, 20, 16, 20}});
  ASSERT_EQ(thread_of(threads[0]).id, 16u);
  executive->stepper().step(6);
  EXPECT_EQ(ran(0), 0u);
  EXPECT_EQ(ran(1), 6u);
  executive->stepper().step(6);
  EXPECT_EQ(ran(0), 3u);
  EXPECT_EQ(ran(1), 9u);
  executive->stepper().step(6);
  EXPECT_EQ(ran(0), 6u) << "then round robin";
}

TEST_P(ExecutiveScheduleSpec, a_seeded_schedule_is_fair_in_the_long_run) {
  run_two({.policy = SchedulePolicy::seeded, .quantum = 20});
  executive->stepper().step(20'000);
  EXPECT_EQ(ran(0) + ran(1), 20'000u);
  EXPECT_GT(ran(0), 7'000u);
  EXPECT_GT(ran(1), 7'000u);
}

TEST_P(ExecutiveScheduleSpec, a_fault_takes_the_processor_away) {
  run_two({.policy = SchedulePolicy::round_robin, .quantum = 100},
          FaultPlan::nth(FaultSite::sched_preempt, 5));
  executive->stepper().step(20);
  EXPECT_EQ(ran(0), 4u);
  EXPECT_EQ(ran(1), 16u);
}

TEST_P(ExecutiveScheduleSpec, a_fault_lets_time_jump) {
  run_two({.policy = SchedulePolicy::round_robin}, FaultPlan::nth(FaultSite::time_jump, 10));
  // A host actor's sleep is no timer; a guest's is.
  NtThread& sleeper = thread_of(threads[1]);
  NtApi its(*executive, {.process = sleeper.process.get(), .thread = &sleeper});
  const std::uint64_t before = executive->now();
  ASSERT_EQ(its.delay_execution(-1'000'000), status::pending);
  executive->stepper().step(9);
  EXPECT_EQ(executive->now(), before + 9);
  executive->stepper().step(1);
  EXPECT_GE(executive->now(), before + 1'000'000);
  EXPECT_TRUE(sleeper.runnable());
}

TEST_P(ExecutiveScheduleSpec, a_handle_list_inherits_what_it_names) {
  install("counter.exe");
  std::array<HandleValue, 3> events{};
  for (HandleValue& event : events) {
    ASSERT_EQ(
        nt().create_event(event, 0x1F0003, {.attributes = object_attribute::inherit}, 0, false),
        status::success);
  }
  Started started;
  started.attributes.handle_list = std::vector<HandleValue>{events[2], events[0], events[2]};
  ASSERT_EQ(start(nt(), "counter.exe", started, true, process_flag::inherit_handles),
            status::success);
  const HandleTable& table = process_of(started.process).handles;
  EXPECT_NE(table.find(events[0]), nullptr);
  EXPECT_EQ(table.find(events[1]), nullptr);
  EXPECT_NE(table.find(events[2]), nullptr);
  EXPECT_EQ(table.count(), 2u);
}

TEST_P(ExecutiveScheduleSpec, queries_tell_the_truth) {
  install("counter.exe");
  const Started started = start("counter.exe");
  executive->stepper().step(500);
  const Process& running = process_of(started.process);
  std::uint32_t length = 0;
  VmCounters counters;
  ASSERT_EQ(nt().query_information_process(started.process, 3,
                                           std::as_writable_bytes(std::span(&counters, 1)), length),
            status::success);
  EXPECT_EQ(counters.pagefile_usage, running.space->commit_charge() * kNtPageSize);
  EXPECT_EQ(counters.working_set, running.space->working_set() * kNtPageSize);
  EXPECT_GE(counters.peak_working_set, counters.working_set);
  KernelUserTimes times;
  ASSERT_EQ(nt().query_information_process(started.process, 4,
                                           std::as_writable_bytes(std::span(&times, 1)), length),
            status::success);
  EXPECT_EQ(times.user, thread_of(started.thread).instructions);
  std::array<std::byte, 512> bytes{};
  ASSERT_EQ(nt().query_information_process(started.process, 27, bytes, length), status::success);
  const std::u16string name = u"\\Device\\HarddiskVolume1\\counter.exe";
  ASSERT_EQ(length, 16 + (name.size() + 1) * 2);
  EXPECT_EQ(std::memcmp(bytes.data() + 16, name.data(), name.size() * 2), 0);
  // A table of one handle, described from outside.
  HandleValue event = 0, theirs = 0;
  ASSERT_EQ(nt().create_event(event, 0x1F0003, {}, 0, false), status::success);
  ASSERT_EQ(nt().duplicate_object(kCurrentProcess, event, started.process, theirs, 2,
                                  object_attribute::inherit, 0),
            status::success);
  ASSERT_EQ(nt().query_information_process(started.process, 51, bytes, length), status::success);
  ASSERT_EQ(length, 16 + sizeof(HandleInformation));
  HandleInformation handle;
  std::memcpy(&handle, bytes.data() + 16, sizeof handle);
  EXPECT_EQ(handle.handle, theirs);
  EXPECT_EQ(handle.granted, 2u);
  EXPECT_EQ(handle.handle_count, 2u);
  EXPECT_EQ(handle.attributes, object_attribute::inherit);
  // All processes in turn.
  std::vector<std::uint64_t> ids;
  HandleValue at = 0, next = 0;
  while (nt().get_next_process(at, access::maximum_allowed, 0, 0, next).succeeded()) {
    ids.push_back(basic(next).id);
    at = next;
  }
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{parent->process().id, running.id}));
}

TEST_P(ExecutiveScheduleSpec, permanent_names_need_a_privilege_and_stay) {
  HandleValue event = 0;
  const ObjectAttributes object =
      named("\\BaseNamedObjects\\for ever", object_attribute::permanent);
  EXPECT_EQ(nt().create_event(event, 0x1F0003, object, 0, false), status::privilege_not_held);
  HostActor system(*executive, "system", system_token());
  ASSERT_EQ(system.nt().create_event(event, 0x1F0003, object, 0, false), status::success);
  ASSERT_EQ(system.nt().close(event), status::success);
  EXPECT_EQ(system.nt().open_event(event, 0x1F0003, object), status::success);
  EXPECT_EQ(nt().open_event(event, 0x2, named("\\BaseNamedObjects\\for ever")),
            status::access_denied)
      << "of a higher level";
  EXPECT_EQ(nt().create_process_ex(process, process_access::all,
                                   {.attributes = object_attribute::permanent}, kCurrentProcess, 0,
                                   0, 0, 0),
            status::invalid_parameter);
}

}  // namespace
}  // namespace doppel
