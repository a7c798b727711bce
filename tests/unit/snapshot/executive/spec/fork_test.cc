// SPDX-License-Identifier: Apache-2.0
//
// Fork: the classic way of a clone and a thread, dead since 8.1, and the living one of
// NtCreateUserProcess without an image name. Parameters and stacks made by code of user mode.
#include <algorithm>
#include <array>
#include <cstring>

#include "executive_world.h"
#include "machine_code.h"

namespace doppel {
namespace {

class ExecutiveForkSpec : public ExecutiveSpec {
 protected:
  /// A process whose one thread runs `code` on a stack of its own.
  void run_code(const MachineCode& code) {
    install("counter.exe");
    process = create_from_section("counter.exe");
    place = allocate(process, 1, page::execute_readwrite);
    std::size_t done = 0;
    ASSERT_EQ(nt().write_virtual_memory(process, place, code.bytes(), done), status::success);
    ASSERT_EQ(make_stack(*process_of(process).space, 0x10000, 0x2000, stack), status::success);
    NtContext context;
    context.registers.rip = place;
    context.registers.general[kRsp] = stack.stack_base - 0x28;
    ClientId id;
    ASSERT_EQ(
        nt().create_thread(thread, thread_access::all, {}, process, id, &context, stack, false),
        status::success);
  }

  /// As the code of fork does: the clone gets a thread with the registers of the parent's.
  NtStatus fork(HandleValue& child, HandleValue& child_thread) {
    NtContext context;
    EXPECT_EQ(nt().suspend_process(process), status::success);
    EXPECT_EQ(nt().get_context_thread(thread, context), status::success);
    EXPECT_EQ(nt().create_process(child, process_access::all, {}, process, true, 0, 0, 0),
              status::success);
    context.registers.general[kRax] = status::process_cloned.value;
    ClientId id;
    const NtStatus made = nt().create_thread(
        child_thread, thread_access::all, {}, child, id, &context,
        {.old_stack_base = stack.stack_base, .old_stack_limit = stack.stack_limit}, true);
    EXPECT_EQ(nt().resume_process(process), status::success);
    return made;
  }

  /// The parent turns round and round; the one with the status of a clone marks and exits with 7.
  MachineCode forking(std::uint64_t mark) {
    MachineCode code;
    code.raw({0xF3, 0x90});                             // again: pause
    code.raw({0x3D, 0x29, 0x01, 0x00, 0x00});           // cmp eax, 129h
    code.raw({0x75, 0xF7});                             // jne again
    code.load_rax(mark).raw({0xC7, 0x00, 1, 0, 0, 0});  // mov dword [rax], 1
    return code.exit(7);
  }

  HandleValue process = 0, thread = 0;
  std::uint64_t place = 0;
  InitialTeb stack;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveForkSpec, ::testing::Values(1, 2, 3));

constexpr std::uint64_t kMarkAt = 0x800;  ///< in the page of the code

TEST_P(ExecutiveForkSpec, T08_fork_classic_before_8_1) {
  boot({.profile = NtProfile::nt60});
  // The first free place of a fresh process is known: code and mark lie where a trial put them.
  run_code(forking(0x10000 + kMarkAt));
  ASSERT_EQ(place, 0x10000u);
  executive->stepper().step(200);
  HandleValue child = 0, child_thread = 0;
  ASSERT_EQ(fork(child, child_thread), status::success);
  EXPECT_NE(thread_of(child_thread).teb, thread_of(thread).teb) << "a new TEB on the same stack";
  EXPECT_EQ(read<std::uint64_t>(child, thread_of(child_thread).teb + teb_offset::stack_base),
            stack.stack_base);
  std::uint32_t previous = 0;
  ASSERT_EQ(nt().resume_thread(child_thread, previous), status::success);
  EXPECT_EQ(previous, 1u);
  EXPECT_EQ(wait(child), status::success);
  EXPECT_EQ(exit_status(child), 7u);
  EXPECT_EQ(read<std::uint32_t>(process, place + kMarkAt), 0u) << "the parent's memory";
}

TEST_P(ExecutiveForkSpec, T09_fork_classic_since_8_1) {
  run_code(forking(0x10000 + kMarkAt));
  executive->stepper().step(200);
  HandleValue child = 0, child_thread = 0;
  EXPECT_EQ(fork(child, child_thread), status::process_is_terminating);
  EXPECT_EQ(read<std::uint8_t>(child, place), 0xF3) << "the clone is there to be read";
  EXPECT_EQ(nt().create_thread_ex(child_thread, thread_access::all, {}, child, place, 0, 0, 0, 0),
            status::process_is_terminating);
}

TEST_P(ExecutiveForkSpec, T10_fork_living) {
  for (const char* guest : {"forker.exe", "forker-O2.exe"}) {
    boot({});
    install(guest);
    bool seen = false;
    executive->on_call = [&](const TraceEvent& event) {
      if (event.call != "NtCreateUserProcess" || event.thread == 0) return;
      ASSERT_EQ(event.status, status::success);
      seen = true;
      const Process& child = *executive->processes().rbegin()->second;
      ASSERT_EQ(child.threads.size(), 1u);
      const NtThread& copy = *child.threads.front();
      const NtThread& original = *executive->find_thread(event.thread);
      GuestRegisters expected = original.context.registers;
      expected.general[kRax] = status::process_cloned.value;
      EXPECT_EQ(copy.context.registers, expected);
      EXPECT_EQ(copy.teb, original.teb);
      PageFault fault;
      std::array<std::byte, 1> inherited{};
      ASSERT_TRUE(child.space->load(child.peb, inherited, fault));
      EXPECT_EQ(inherited[0], std::byte{1});
      std::array<std::byte, 2> flags{};
      ASSERT_TRUE(child.space->load(copy.teb + teb_offset::same_teb_flags, flags, fault));
      EXPECT_EQ(flags[0] & std::byte{0x40}, std::byte{0x40});
      ClientId id;
      ASSERT_TRUE(child.space->load(copy.teb + teb_offset::client_id,
                                    std::as_writable_bytes(std::span(&id, 1)), fault));
      EXPECT_EQ(id, (ClientId{child.id, copy.id}));
      ASSERT_TRUE(original.process->space->load(original.process->peb, inherited, fault));
      EXPECT_EQ(inherited[0], std::byte{0}) << "in the child only";
    };
    const Started started = start(guest);
    EXPECT_EQ(wait(started.process), status::success);
    EXPECT_TRUE(seen);
    EXPECT_EQ(exit_status(started.process), 0u)
        << "the parent saw the child end and kept its own memory";
    executive->on_call = nullptr;
  }
}

TEST_P(ExecutiveForkSpec, T04_parameters_by_user_mode_code) {
  install("argv.exe");
  process = create_from_section("argv.exe");
  const ProcessParameters parameters{.image_path = "C:\\argv.exe",
                                     .command_line = "argv.exe one \"two three\"",
                                     .current_directory = "C:\\",
                                     .dll_path = "",
                                     .environment = {"A=1", "B=zwei"}};
  const std::uint64_t block = allocate(process, 1);
  const std::vector<std::byte> bytes = build_parameters(parameters, block);
  ASSERT_LE(bytes.size(), kNtPageSize);
  std::size_t done = 0;
  ASSERT_EQ(nt().write_virtual_memory(process, block, bytes, done), status::success);
  const std::uint64_t peb = basic(process).peb;
  ASSERT_EQ(write(nt(), process, peb + peb_offset::parameters, block), status::success);
  ASSERT_EQ(make_stack(*process_of(process).space, 0x10000, 0x4000, stack), status::success);
  const Section& image = *process_of(process).section;
  NtContext context;
  context.registers.rip = process_of(process).image_base + image.image().entry;
  context.registers.general[kRsp] = stack.stack_base - 0x28;
  context.registers.general[kRcx] = peb;
  ClientId id;
  ASSERT_EQ(nt().create_thread(thread, thread_access::all, {}, process, id, &context, stack, true),
            status::success);
  std::uint32_t previous = 0;
  ASSERT_EQ(nt().resume_thread(thread, previous), status::success);
  ASSERT_EQ(wait(process), status::success);
  ASSERT_EQ(exit_status(process), 0u);
  const auto output = executive->files().find("argv.out");
  ASSERT_TRUE(output);
  std::u16string text(output->bytes.size() / 2, u'\0');
  std::memcpy(text.data(), output->bytes.data(), output->bytes.size());
  const std::u16string expected =
      std::u16string(u"argv.exe one \"two three\"") + u'\0' + u"A=1" + u'\0' + u"B=zwei" + u'\0';
  EXPECT_EQ(text, expected);
}

TEST_P(ExecutiveForkSpec, T05_stack_by_user_mode_code) {
  install("counter.exe");
  process = create_from_section("counter.exe");
  NtContext context;
  context.registers.rip =
      process_of(process).image_base + process_of(process).section->image().entry;
  ClientId id;
  ASSERT_EQ(nt().create_thread(thread, thread_access::all, {}, process, id, &context, {}, false),
            status::success);
  EXPECT_EQ(wait(process), status::success);
  EXPECT_EQ(exit_status(process), status::access_violation.value);
}

TEST_P(ExecutiveForkSpec, T53_first_chance) {
  // It sets a dispatcher, reads through a null pointer (2 bytes of code), and exits with 5 if the
  // dispatcher has skipped that.
  constexpr std::uint64_t handler_at = 0x400;
  MachineCode code;
  code.load_r10(0x10000 + handler_at).service(0x100);
  code.raw({0x31, 0xC0, 0x8B, 0x00});  // xor eax, eax; mov eax, [rax]
  code.exit(5);
  code.pad_to(handler_at);
  code.raw({0x48, 0x8B, 0x82, 0xF8, 0, 0, 0});  // mov rax, [rdx + rip]
  code.raw({0x48, 0x83, 0xC0, 0x02});           // add rax, 2
  code.raw({0x48, 0x89, 0x82, 0xF8, 0, 0, 0});  // mov [rdx + rip], rax
  code.raw({0x49, 0x89, 0xD2, 0x31, 0xD2});     // mov r10, rdx; xor edx, edx
  code.service(0x15);                           // NtContinue
  const HandleValue port = listen_for_crashes();
  run_code(code);
  EXPECT_EQ(wait(process), status::success);
  EXPECT_EQ(exit_status(process), 5u);
  CrashMessage message;
  EXPECT_EQ(nt().receive_crash(port, message), status::no_more_entries);
}

}  // namespace
}  // namespace doppel
