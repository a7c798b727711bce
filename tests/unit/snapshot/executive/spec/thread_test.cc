// SPDX-License-Identifier: Apache-2.0
//
// Threads of guests that wait, sleep, lock, crash together and go on; the CONTEXT record.
#include <array>
#include <cstring>

#include "executive_world.h"
#include "machine_code.h"

#include <snapshot/executive/cpu/guest_services.h>
#include <snapshot/executive/native/dispatch.h>

namespace doppel {
namespace {

class ExecutiveThreadSpec : public ExecutiveSpec {
 protected:
  void SetUp() override {
    install("counter.exe");
    process = create_from_section("counter.exe");
    place = allocate(process, 2, page::execute_readwrite);
  }

  /// A new thread that runs `code`.
  HandleValue run(const MachineCode& code, bool suspended = false) {
    std::size_t done = 0;
    const std::uint64_t at = place + next;
    next += 0x200;
    EXPECT_EQ(nt().write_virtual_memory(process, at, code.bytes(), done), status::success);
    HandleValue thread = 0;
    EXPECT_EQ(nt().create_thread_ex(thread, thread_access::all, {}, process, at, 0,
                                    suspended ? thread_flag::create_suspended : 0, 0, 0),
              status::success);
    return thread;
  }

  /// A system call as `thread` would make it.
  NtStatus call(HandleValue thread, std::uint32_t service, const ServiceArguments& arguments) {
    return dispatch(*executive, thread_of(thread), service, arguments);
  }

  std::uint64_t rax(HandleValue thread) {
    return thread_of(thread).context.registers.general[kRax];
  }

  HandleValue process = 0;
  std::uint64_t place = 0, next = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveThreadSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveThreadSpec, sleeping_costs_virtual_time_only) {
  const std::uint64_t interval = place + 0x1800;
  ASSERT_EQ(write(nt(), process, interval, std::int64_t{-1'000'000'000}), status::success);
  MachineCode code;
  code.load_r10(0).load_rdx(interval).service(kServiceDelayExecution).exit(3);
  run(code);
  const std::uint64_t steps = executive->stepper().steps();
  const std::uint64_t before = executive->now();
  ASSERT_EQ(wait(process), status::success);
  EXPECT_EQ(exit_status(process), 3u);
  EXPECT_GE(executive->now(), before + 1'000'000'000);
  EXPECT_LT(executive->stepper().steps(), steps + 100) << "time leaps when only timers are left";
}

TEST_P(ExecutiveThreadSpec, timeouts_and_wake_order) {
  HandleValue event = 0, theirs = 0;
  ASSERT_EQ(nt().create_event(event, 0x1F0003, {}, 1, false), status::success);
  ASSERT_EQ(nt().duplicate_object(kCurrentProcess, event, process, theirs, 0, 0,
                                  duplicate_option::same_access),
            status::success);
  MachineCode spin;
  spin.raw({0xEB, 0xFE});
  std::array<HandleValue, 3> threads{};
  for (HandleValue& thread : threads) thread = run(spin);
  ASSERT_EQ(write(nt(), process, place + 0x1800, std::int64_t{-500}), status::success);
  // The last one gives up after a while.
  EXPECT_EQ(call(threads[1], kServiceWaitForSingleObject, {theirs, 0, 0}), status::pending);
  EXPECT_EQ(call(threads[0], kServiceWaitForSingleObject, {theirs, 0, 0}), status::pending);
  EXPECT_EQ(call(threads[2], kServiceWaitForSingleObject, {theirs, 0, place + 0x1800}),
            status::pending);
  for (const HandleValue thread : threads) EXPECT_FALSE(thread_of(thread).runnable());
  std::uint32_t previous = 0;
  ASSERT_EQ(nt().set_event(event, previous), status::success);
  EXPECT_TRUE(thread_of(threads[1]).runnable()) << "first come";
  EXPECT_EQ(rax(threads[1]), status::success.value);
  EXPECT_FALSE(thread_of(threads[0]).runnable()) << "one wait resets the event";
  executive->stepper().step(1000);
  EXPECT_EQ(rax(threads[2]), status::timeout.value);
  EXPECT_TRUE(thread_of(threads[2]).runnable());
  ASSERT_EQ(nt().set_event(event, previous), status::success);
  EXPECT_TRUE(thread_of(threads[0]).runnable());
}

TEST_P(ExecutiveThreadSpec, a_mutant_of_a_dead_thread_is_abandoned) {
  HandleValue mutant = 0, theirs = 0;
  ASSERT_EQ(nt().create_mutant(mutant, 0x1F0001, {}, false), status::success);
  ASSERT_EQ(nt().duplicate_object(kCurrentProcess, mutant, process, theirs, 0, 0,
                                  duplicate_option::same_access),
            status::success);
  MachineCode spin;
  spin.raw({0xEB, 0xFE});
  const HandleValue owner = run(spin), heir = run(spin);
  EXPECT_EQ(call(owner, kServiceWaitForSingleObject, {theirs, 0, 0}), status::success);
  EXPECT_EQ(call(heir, kServiceWaitForSingleObject, {theirs, 0, 0}), status::pending);
  ASSERT_EQ(nt().terminate_thread(owner, status::success), status::success);
  EXPECT_TRUE(thread_of(heir).runnable());
  EXPECT_EQ(rax(heir), status::abandoned_wait_0.value);
}

TEST_P(ExecutiveThreadSpec, a_lock_can_be_waited_for) {
  HandleValue file = 0, theirs = 0, ours = 0;
  const AccessMask both = access::generic_read | access::generic_write;
  ASSERT_EQ(open_file(nt(), "data", both, 7, FileDisposition::create, file), status::success);
  ASSERT_EQ(open_file(nt(), "data", both, 7, FileDisposition::open, ours), status::success);
  ASSERT_EQ(nt().duplicate_object(kCurrentProcess, file, process, theirs, 0, 0,
                                  duplicate_option::same_access | duplicate_option::close_source),
            status::success);
  ASSERT_EQ(nt().lock_file(ours, 0, 8, 0, true, true), status::success);
  MachineCode spin;
  spin.raw({0xEB, 0xFE});
  const HandleValue thread = run(spin);
  const std::uint64_t scratch = place + 0x1800;
  ASSERT_EQ(write(nt(), process, scratch, std::array<std::uint64_t, 2>{4, 8}), status::success);
  const ServiceArguments arguments{theirs, 0, 0, 0, scratch + 32, scratch, scratch + 8, 0, 0, 1};
  EXPECT_EQ(call(thread, kServiceLockFile, arguments), status::pending);
  EXPECT_FALSE(thread_of(thread).runnable());
  ASSERT_EQ(nt().unlock_file(ours, 0, 8, 0), status::success);
  EXPECT_TRUE(thread_of(thread).runnable());
  EXPECT_EQ(rax(thread), status::success.value);
  EXPECT_EQ(nt().lock_file(ours, 11, 1, 0, true, false), status::lock_not_granted);
  // A thread that dies while it waits for another lock leaves no trace of that.
  ASSERT_EQ(nt().lock_file(ours, 100, 8, 0, true, true), status::success);
  ASSERT_EQ(write(nt(), process, scratch, std::array<std::uint64_t, 2>{100, 8}), status::success);
  EXPECT_EQ(call(thread, kServiceLockFile, arguments), status::pending);
  ASSERT_EQ(nt().terminate_process(process, status::success), status::success);
  EXPECT_EQ(executive->files().find("data")->locks.size(), 1u) << "ours";
  ASSERT_EQ(nt().unlock_file(ours, 100, 8, 0), status::success);
}

TEST_P(ExecutiveThreadSpec, each_crashed_thread_has_its_message) {
  const HandleValue port = listen_for_crashes();
  MachineCode breaks, faults;
  breaks.raw({0xCC}).exit(9);
  faults.raw({0x31, 0xC0, 0x8B, 0x00}).exit(8);
  run(breaks);
  run(faults);
  const CrashMessage first = next_crash(port), second = next_crash(port);
  EXPECT_EQ(first.process, second.process);
  EXPECT_NE(first.thread, second.thread);
  EXPECT_NE(first.sequence, second.sequence);
  EXPECT_EQ(executive->stepper().step(10), StepOutcome::idle) << "both wait";
  const CrashMessage& at_break = first.record.code == status::breakpoint ? first : second;
  const CrashMessage& at_fault = first.record.code == status::breakpoint ? second : first;
  ASSERT_EQ(at_break.record.code, status::breakpoint);
  ASSERT_EQ(at_fault.record.code, status::access_violation);
  EXPECT_EQ(at_fault.record.parameter_count, 2u);
  EXPECT_EQ(at_fault.record.parameters[0], 0u) << "a read";
  EXPECT_EQ(at_fault.record.parameters[1], 0u) << "of address 0";
  // Handled: on behind the int3, and the process exits as its code says.
  NtContext context = at_break.context;
  EXPECT_EQ(context.registers.rip, at_break.record.address);
  ++context.registers.rip;
  EXPECT_EQ(nt().reply_crash(port, 4444, status::dbg_exception_handled), status::invalid_parameter);
  EXPECT_EQ(nt().reply_crash(port, at_break.sequence, status::dbg_exception_handled, &context),
            status::success);
  EXPECT_EQ(wait(process), status::success);
  EXPECT_EQ(exit_status(process), 9u);
  EXPECT_EQ(nt().reply_crash(port, at_fault.sequence, status::dbg_exception_not_handled),
            status::invalid_parameter)
      << "who waited there is dead";
}

TEST_P(ExecutiveThreadSpec, without_a_port_the_code_is_the_exit_status) {
  MachineCode code;
  code.raw({0x0F, 0x0B});
  run(code);
  EXPECT_EQ(wait(process), status::success);
  EXPECT_EQ(exit_status(process), status::illegal_instruction.value);
}

TEST_P(ExecutiveThreadSpec, the_last_thread_ends_the_process) {
  MachineCode spin;
  spin.raw({0xEB, 0xFE});
  const HandleValue one = run(spin), two = run(spin);
  HandleValue theirs = 0;
  ASSERT_EQ(nt().duplicate_object(kCurrentProcess, two, process, theirs, 0, 0,
                                  duplicate_option::same_access),
            status::success);
  EXPECT_EQ(call(one, kServiceTerminateThread, {theirs, 5}), status::success);
  EXPECT_EQ(nt().wait_for_single_object(process, 0), status::timeout);
  EXPECT_EQ(nt().wait_for_single_object(two, 0), status::success);
  NtContext context;
  std::uint32_t previous = 0;
  EXPECT_EQ(nt().get_context_thread(two, context), status::unsuccessful);
  EXPECT_EQ(nt().suspend_thread(two, previous), status::thread_is_terminating);
  EXPECT_EQ(call(one, kServiceTerminateThread, {0, 6}), status::cant_terminate_self);
  EXPECT_EQ(nt().terminate_thread(one, NtStatus{6}), status::success);
  EXPECT_EQ(nt().wait_for_single_object(process, 0), status::success);
  EXPECT_EQ(exit_status(process), 6u);
  HandleValue thread = 0;
  EXPECT_EQ(nt().create_thread_ex(thread, thread_access::all, {}, process, place, 0, 0, 0, 0),
            status::process_is_terminating);
}

TEST_P(ExecutiveThreadSpec, context_record) {
  NtContext context;
  for (std::size_t i = 0; i < 16; ++i) context.registers.general[i] = 0x1000 + i;
  context.registers.rip = 0x7777;
  context.registers.flags = 0x246;
  context.floating_point[100] = std::byte{9};
  ContextBytes record{};
  store_context(context, context_part::all, record);
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, record.data() + at, sizeof value);
    return value;
  };
  EXPECT_EQ(word(0x78), 0x1000u) << "Rax";
  EXPECT_EQ(word(0x98), 0x1004u) << "Rsp";
  EXPECT_EQ(word(0xF0), 0x100Fu) << "R15";
  EXPECT_EQ(word(0xF8), 0x7777u);
  EXPECT_EQ(word(0x30) & 0xFFFFFFFF, 0x10001Fu & context_part::all);
  EXPECT_EQ(word(0x38) & 0xFFFF, 0x33u) << "Cs";
  NtContext back;
  load_context(record, back);
  EXPECT_EQ(back, context);
  // Only what the flags name.
  NtContext part;
  part.registers.general[kRax] = 5;
  const std::uint32_t control = context_part::control;
  std::memcpy(record.data() + 0x30, &control, sizeof control);
  load_context(record, part);
  EXPECT_EQ(part.registers.general[kRax], 5u);
  EXPECT_EQ(part.registers.general[kRsp], 0x1004u);
  EXPECT_EQ(part.registers.rip, 0x7777u);
  // A program cannot switch interrupts off, nor trace itself.
  const std::uint32_t flags = 0x100;
  std::memcpy(record.data() + 0x44, &flags, sizeof flags);
  load_context(record, part);
  EXPECT_EQ(part.registers.flags, 0x202u);
}

TEST_P(ExecutiveThreadSpec, handle_values) {
  parent.reset();
  executive.reset();
  boot({.max_handles = 4});
  std::array<HandleValue, 4> events{};
  for (HandleValue& event : events)
    ASSERT_EQ(nt().create_event(event, 0x1F0003, {}, 0, false), status::success);
  EXPECT_EQ(events, (std::array<HandleValue, 4>{4, 8, 12, 16}));
  HandleValue more = 0;
  const Counters before = executive->counters();
  EXPECT_EQ(nt().create_event(more, 0x1F0003, {}, 0, false), status::insufficient_resources);
  EXPECT_EQ(executive->counters(), before);
  ASSERT_EQ(nt().close(12), status::success);
  ASSERT_EQ(nt().close(8 + 2), status::success);
  ASSERT_EQ(nt().create_event(more, 0x1F0003, {}, 0, false), status::success);
  EXPECT_EQ(more, 8u) << "the lowest that is free";
}

TEST_P(ExecutiveThreadSpec, a_token_can_be_changed_before_the_first_instruction) {
  HostActor system(*executive, "system", system_token());
  HandleValue own = 0, fresh = 0, target = 0;
  ASSERT_EQ(system.nt().open_process_token(kCurrentProcess, access::maximum_allowed, own),
            status::success);
  ASSERT_EQ(system.nt().duplicate_token(own, 0, {}, TokenKind::primary, fresh), status::success);
  const ClientId id{basic(process).id, 0};
  ASSERT_EQ(system.nt().open_process(target, process_access::all, {}, &id), status::success);
  const std::array<HandleValue, 2> request{fresh, 0};
  ASSERT_EQ(system.nt().set_information_process(target, 9, std::as_bytes(std::span(request))),
            status::success);
  EXPECT_EQ(process_of(process).token->data.user, "S-1-5-18");
  MachineCode spin;
  spin.raw({0xEB, 0xFE});
  run(spin);
  executive->stepper().step(1);
  EXPECT_EQ(system.nt().set_information_process(target, 9, std::as_bytes(std::span(request))),
            status::not_supported);
}

TEST_P(ExecutiveThreadSpec, an_image_of_low_integrity_makes_a_low_process) {
  FileNode& image = *executive->files().find("counter.exe");
  image.security = SecurityDescriptor{
      .owner = "S-1-1-0", .dacl = {}, .label = IntegrityLabel{.level = integrity::low}};
  const Started started = start("counter.exe", true);
  EXPECT_EQ(process_of(started.process).token->data.integrity_level, integrity::low);
}

TEST_P(ExecutiveThreadSpec, an_image_of_another_machine_has_its_own_state) {
  std::vector<std::byte> bytes = guest_bytes("counter.exe");
  std::uint32_t header = 0;
  std::memcpy(&header, bytes.data() + 0x3C, sizeof header);
  const std::uint16_t arm = 0xAA64;
  std::memcpy(bytes.data() + header + 4, &arm, sizeof arm);
  executive->files().install("arm.exe", bytes);
  Started started;
  EXPECT_EQ(start(nt(), "arm.exe", started), status::invalid_image_format);
  EXPECT_EQ(started.info.state, 4u);
}

}  // namespace
}  // namespace doppel
