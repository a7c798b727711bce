// SPDX-License-Identifier: Apache-2.0
//
// Native creation from a section: what NtCreateProcess does, and what it leaves to code of user
// mode.
#include "executive_world.h"

namespace doppel {
namespace {

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveSpec, T01_create_process_makes_no_thread) {
  install("counter.exe");
  const HandleValue process = create_from_section("counter.exe");
  HandleValue thread = 0;
  EXPECT_EQ(nt().get_next_thread(process, 0, thread_access::all, 0, 0, thread),
            status::no_more_entries);
  const ProcessBasicInformation information = basic(process);
  const std::uint64_t base = process_of(process).image_base;
  EXPECT_EQ(read<std::uint64_t>(process, information.peb + peb_offset::image_base), base);
  EXPECT_EQ(read<std::uint16_t>(process, base), 0x5A4D) << "the image is mapped";
  EXPECT_EQ(query(process, base).type, mem::image);
  EXPECT_EQ(executive->stepper().step(1000), StepOutcome::idle);
  EXPECT_EQ(information.exit_status, status::pending.value);
  EXPECT_FALSE(process_of(process).started);
}

TEST_P(ExecutiveSpec, T02_section_must_be_an_image) {
  HandleValue section = 0, process = 0;
  ASSERT_EQ(nt().create_section(section, section_access::all, {}, kNtPageSize,
                                page::execute_readwrite, sec::commit, 0),
            status::success);
  const Counters before = executive->counters();
  EXPECT_EQ(
      nt().create_process(process, process_access::all, {}, kCurrentProcess, false, section, 0, 0),
      status::section_not_image);
  EXPECT_EQ(executive->counters(), before);
}

TEST_P(ExecutiveSpec, T03_inherit_flag) {
  install("counter.exe");
  HandleValue first = 0, inheritable = 0, plain = 0;
  ASSERT_EQ(nt().create_event(first, 0x1F0003, {}, 0, false), status::success);
  ASSERT_EQ(
      nt().create_event(inheritable, 0x1F0003, {.attributes = object_attribute::inherit}, 0, false),
      status::success);
  ASSERT_EQ(nt().create_event(plain, 0x1F0003, {}, 0, false), status::success);
  for (const bool inherit : {true, false}) {
    const HandleValue process = create_from_section("counter.exe", inherit);
    const HandleTable& table = process_of(process).handles;
    ObjectRef<Object> object;
    const HandleUse use{.type = ObjectType::event, .desired = 0x1F0003};
    EXPECT_EQ(table.reference(inheritable, use, object),
              inherit ? status::success : status::invalid_handle);
    EXPECT_EQ(table.reference(plain, use, object), status::invalid_handle);
    EXPECT_EQ(table.reference(first, use, object), status::invalid_handle) << "the gap stays";
    EXPECT_EQ(nt().terminate_process(process, status::success), status::success);
    EXPECT_EQ(nt().close(process), status::success);
  }
}

TEST_P(ExecutiveSpec, T06_suspended_and_immediate) {
  install("counter.exe");
  const Started suspended = start("counter.exe", true);
  EXPECT_EQ(executive->stepper().step(100), StepOutcome::idle);
  EXPECT_EQ(thread_of(suspended.thread).instructions, 0u);
  std::uint32_t previous = 0;
  EXPECT_EQ(nt().resume_thread(suspended.thread, previous), status::success);
  EXPECT_EQ(previous, 1u);
  EXPECT_EQ(executive->stepper().step(100), StepOutcome::progress);
  EXPECT_GT(thread_of(suspended.thread).instructions, 0u);
  const Started immediate = start("counter.exe");
  EXPECT_EQ(executive->stepper().step(1000), StepOutcome::progress);
  EXPECT_GT(thread_of(immediate.thread).instructions, 0u);
}

TEST_P(ExecutiveSpec, T07_teb_template) {
  install("counter.exe");
  const HandleValue process = create_from_section("counter.exe");
  const std::uint64_t stack = allocate(process, 16);
  const InitialTeb initial{.stack_base = stack + 16 * kNtPageSize,
                           .stack_limit = stack + 8 * kNtPageSize,
                           .stack_allocation_base = stack};
  NtContext context;
  context.registers.rip = 0x1234;
  context.registers.general[kRsp] = initial.stack_base - 0x28;
  HandleValue thread = 0;
  ClientId id;
  ASSERT_EQ(
      nt().create_thread(thread, thread_access::all, {}, process, id, &context, initial, true),
      status::success);
  ThreadBasicInformation information;
  std::uint32_t length = 0;
  ASSERT_EQ(nt().query_information_thread(
                thread, 0, std::as_writable_bytes(std::span(&information, 1)), length),
            status::success);
  const std::uint64_t teb = information.teb;
  EXPECT_EQ(read<std::uint64_t>(process, teb + 0x8), initial.stack_base);
  EXPECT_EQ(read<std::uint64_t>(process, teb + 0x10), initial.stack_limit);
  EXPECT_EQ(read<std::uint64_t>(process, teb + 0x1478), stack);
  EXPECT_EQ(read<std::uint64_t>(process, teb + 0x30), teb);
  EXPECT_EQ(read<ClientId>(process, teb + 0x40), id);
  EXPECT_EQ(read<std::uint64_t>(process, teb + 0x60), basic(process).peb);
  EXPECT_EQ(information.id, id);
  // The old pair, where given, wins: fork reuses a stack.
  const InitialTeb reuse{.old_stack_base = 0x20000, .old_stack_limit = 0x10000};
  HandleValue second = 0;
  ASSERT_EQ(nt().create_thread(second, thread_access::all, {}, process, id, &context, reuse, true),
            status::success);
  EXPECT_EQ(read<std::uint64_t>(process, thread_of(second).teb + 0x8), 0x20000u);
  EXPECT_EQ(read<std::uint64_t>(process, thread_of(second).teb + 0x10), 0x10000u);
  EXPECT_EQ(nt().create_thread(second, thread_access::all, {}, process, id, nullptr, reuse, true),
            status::invalid_parameter);
}

TEST_P(ExecutiveSpec, T11_clone_of_another_by_create_user_process) {
  install("counter.exe");
  const Started other = start("counter.exe", true);
  HandleValue process = 0, thread = 0;
  UserProcessInfo info;
  UserProcessAttributes attributes;
  attributes.parent = other.process;
  const Counters before = executive->counters();
  EXPECT_EQ(
      nt().create_user_process(process, thread, access::maximum_allowed, access::maximum_allowed,
                               {}, {}, 0, 0, nullptr, info, attributes),
      status::invalid_parameter);
  EXPECT_EQ(executive->counters(), before);
}

TEST_P(ExecutiveSpec, T26_exit_order) {
  install("holder.exe");
  const Started holder = start("holder.exe");
  HandleValue port = listen_for_crashes();
  const CrashMessage message = next_crash(port);
  HandleValue file = 0;
  EXPECT_EQ(
      open_file(nt(), "data.bin", access::generic_read, kShareNone, FileDisposition::open, file),
      status::sharing_violation);
  EXPECT_EQ(nt().wait_for_single_object(holder.process, 0), status::timeout);
  EXPECT_EQ(nt().reply_crash(port, message.sequence, status::dbg_exception_not_handled),
            status::success);
  EXPECT_EQ(wait(holder.process), status::success);
  EXPECT_EQ(
      open_file(nt(), "data.bin", access::generic_read, kShareNone, FileDisposition::open, file),
      status::success);
  EXPECT_EQ(exit_status(holder.process), status::access_violation.value);
}

TEST_P(ExecutiveSpec, T40_clone_of_the_dead) {
  install("counter.exe");
  const Started started = start("counter.exe");
  ASSERT_EQ(nt().terminate_process(started.process, status::success), status::success);
  const Counters before = executive->counters();
  HandleValue copy = 0;
  EXPECT_EQ(nt().create_process_ex(copy, process_access::all, {}, started.process, 0, 0, 0, 0),
            status::process_is_terminating);
  EXPECT_EQ(executive->counters(), before);
}

TEST_P(ExecutiveSpec, T41_pseudo_handle_duplication) {
  install("counter.exe");
  const Started started = start("counter.exe", true);
  HandleValue narrow = 0;
  const ClientId id{basic(started.process).id, 0};
  ASSERT_EQ(nt().open_process(narrow, process_access::dup_handle, {}, &id), status::success);
  HandleValue minted = 0;
  EXPECT_EQ(nt().duplicate_object(narrow, kCurrentProcess, kCurrentProcess, minted, 0, 0,
                                  duplicate_option::same_access),
            status::success);
  EXPECT_EQ(granted(nt(), minted) & process_access::vm_write, process_access::vm_write);
  EXPECT_EQ(&process_of(minted), &process_of(started.process));
}

TEST_P(ExecutiveSpec, T42_suspend_counts) {
  install("counter.exe");
  const Started started = start("counter.exe");
  std::uint32_t previous = 0;
  for (std::uint32_t i = 0; i < 127; ++i) {
    ASSERT_EQ(nt().suspend_thread(started.thread, previous), status::success);
    EXPECT_EQ(previous, i);
  }
  EXPECT_EQ(nt().suspend_thread(started.thread, previous), status::suspend_count_exceeded);
  for (std::uint32_t i = 127; i > 0; --i) {
    ASSERT_EQ(nt().resume_thread(started.thread, previous), status::success);
    EXPECT_EQ(previous, i);
  }
  EXPECT_EQ(nt().resume_thread(started.thread, previous), status::success);
  EXPECT_EQ(previous, 0u);
}

TEST_P(ExecutiveSpec, T43_protect_from_close) {
  HandleValue event = 0;
  const Counters before = executive->counters();
  auto child = std::make_unique<HostActor>(*executive, "child");
  ASSERT_EQ(child->nt().create_event(event, 0x1F0003, named("\\BaseNamedObjects\\kept"), 0, false),
            status::success);
  ASSERT_EQ(child->nt().set_information_object(event, false, true), status::success);
  EXPECT_EQ(child->nt().close(event), status::handle_not_closable);
  EXPECT_EQ(nt().open_event(event, 0x1F0003, named("\\BaseNamedObjects\\kept")), status::success);
  EXPECT_EQ(nt().close(event), status::success);
  child.reset();
  EXPECT_EQ(nt().open_event(event, 0x1F0003, named("\\BaseNamedObjects\\kept")),
            status::object_name_not_found);
  EXPECT_EQ(executive->counters(), before);
}

TEST_P(ExecutiveSpec, T44_failed_file_open_in_create) {
  install("counter.exe");
  HostActor other(*executive, "other");
  HandleValue file = 0;
  ASSERT_EQ(open_file(other.nt(), "counter.exe", access::generic_read, kShareNone,
                      FileDisposition::open, file),
            status::success);
  const Counters before = executive->counters();
  Started started;
  EXPECT_EQ(start(nt(), "counter.exe", started), status::sharing_violation);
  EXPECT_EQ(started.info.state, 1u);
  EXPECT_EQ(executive->counters(), before);
}

}  // namespace
}  // namespace doppel
