// SPDX-License-Identifier: Apache-2.0
//
// Protected processes, privileges, tokens: who may have which right, and that the kernel does for a
// creator what the creator may not.
#include <array>

#include "executive_world.h"

namespace doppel {
namespace {

class ExecutiveProtectionSpec : public ExecutiveSpec {
 protected:
  void start_protected(const std::string& guest, bool suspended = true) {
    install(guest, ProtectionSigner::windows);
    ASSERT_EQ(start(nt(), guest, child, suspended, process_flag::protected_process),
              status::success);
  }

  Started child;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveProtectionSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveProtectionSpec, T29_protected_child) {
  start_protected("argv.exe", false);
  EXPECT_EQ(granted(nt(), child.process), 0x103801u);
  EXPECT_EQ(granted(nt(), child.thread), 0x101C02u);
  EXPECT_EQ(child.info.state, 6u);
  EXPECT_EQ(child.info.output_flags, 1u);
  ASSERT_EQ(wait(child.process), status::success);
  const auto output = executive->files().find("argv.out");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->bytes[0], std::byte{'a'}) << "the kernel gave it its parameters";
}

TEST_P(ExecutiveProtectionSpec, T30_creator_cannot_do_it_itself) {
  start_protected("counter.exe");
  std::uint64_t value = 0;
  std::size_t done = 0;
  const auto bytes = std::as_writable_bytes(std::span(&value, 1));
  const std::uint64_t base = process_of(child.process).image_base;
  EXPECT_EQ(nt().write_virtual_memory(child.process, base, bytes, done), status::access_denied);
  EXPECT_EQ(nt().read_virtual_memory(child.process, base, bytes, done), status::access_denied);
  std::uint64_t where = 0, size = kNtPageSize;
  EXPECT_EQ(nt().allocate_virtual_memory(child.process, where, 0, size, mem::commit | mem::reserve,
                                         page::readwrite),
            status::access_denied);
  NtContext context;
  HandleValue handle = 0;
  ClientId id;
  EXPECT_EQ(
      nt().create_thread(handle, thread_access::all, {}, child.process, id, &context, {}, true),
      status::access_denied);
  EXPECT_EQ(nt().get_context_thread(child.thread, context), status::access_denied);
  EXPECT_EQ(nt().duplicate_object(child.process, kCurrentProcess, kCurrentProcess, handle, 0, 0,
                                  duplicate_option::same_access),
            status::access_denied);
  EXPECT_EQ(nt().create_process_ex(handle, process_access::all, {}, child.process, 0, 0, 0, 0),
            status::access_denied)
      << "nor clone it";
  std::uint32_t previous = 0;
  EXPECT_EQ(nt().resume_thread(child.thread, previous), status::success);
  EXPECT_EQ(previous, 1u);
  EXPECT_EQ(nt().suspend_process(child.process), status::success);
  EXPECT_EQ(nt().terminate_process(child.process, status::success), status::success);
}

TEST_P(ExecutiveProtectionSpec, T31_explicit_right) {
  install("counter.exe", ProtectionSigner::windows);
  const Counters before = executive->counters();
  EXPECT_EQ(start(nt(), "counter.exe", child, true, process_flag::protected_process, "",
                  process_access::vm_read),
            status::access_denied);
  EXPECT_EQ(executive->counters(), before);
  EXPECT_EQ(executive->processes().size(), 1u) << "only the parent is left";
}

TEST_P(ExecutiveProtectionSpec, T32_classic_path_cannot) {
  install("counter.exe", ProtectionSigner::windows);
  const HandleValue section = image_section("counter.exe");
  HandleValue process = 0;
  EXPECT_EQ(nt().create_process_ex(process, process_access::all, {}, kCurrentProcess,
                                   process_flag::protected_process, section, 0, 0),
            status::invalid_parameter);
}

TEST_P(ExecutiveProtectionSpec, T33_unsigned_image) {
  install("counter.exe");
  const Counters before = executive->counters();
  EXPECT_EQ(start(nt(), "counter.exe", child, true, process_flag::protected_process),
            status::invalid_image_hash);
  EXPECT_EQ(child.info.state, 0u);
  EXPECT_EQ(executive->counters(), before);
}

TEST_P(ExecutiveProtectionSpec, T34_debug_privilege) {
  install("argv.exe");
  const Started normal = start("argv.exe", true);
  start_protected("counter.exe");
  const ClientId normal_id{normal.attributes.client_id.process, 0};
  const ClientId protected_id{child.attributes.client_id.process, 0};
  TokenData token = user_token("S-1-5-21-1-2-3-1002");
  token.privileges = {{Privilege::debug, false}};
  HostActor plain(*executive, "plain", token);
  token.privileges = {{Privilege::debug, true}};
  HostActor debugger(*executive, "debugger", token);
  HandleValue handle = 0;
  EXPECT_EQ(plain.nt().open_process(handle, process_access::vm_read, {}, &normal_id),
            status::access_denied)
      << "of another user";
  EXPECT_EQ(debugger.nt().open_process(handle, process_access::vm_read, {}, &normal_id),
            status::success);
  EXPECT_EQ(debugger.nt().open_process(handle, process_access::vm_read, {}, &protected_id),
            status::access_denied);
}

TEST_P(ExecutiveProtectionSpec, T36_dominance_matrix) {
  // 7.3, written out anew: who dominates whom.
  constexpr std::array<std::uint32_t, 9> kDominate = {0x0,   0x2,   0x4,   0x108, 0x110,
                                                      0x13E, 0x17E, 0x1FE, 0x0};
  constexpr std::array<AccessMask, 9> kProcess = {0,       0xFC7FE, 0xFC7FE, 0xFC7FF, 0xFC7FF,
                                                  0xFC7FE, 0xFC7FF, 0xFC7FF, 0xFC6FE};
  constexpr std::array<AccessMask, 9> kThread = {0,       0xFE3FD, 0xFE3FD, 0xFE3FF, 0xFE3FF,
                                                 0xFE3FD, 0xFE3FF, 0xFF7FF, 0xFE3FD};
  const auto level = [](std::uint32_t type, std::uint32_t signer) {
    return Protection{static_cast<ProtectionType>(type), static_cast<ProtectionSigner>(signer)};
  };
  for (std::uint32_t i = 0; i < 27 * 27; ++i) {
    const std::uint32_t caller = i / 27, target = i % 27;
    const std::uint32_t caller_type = caller / 9, caller_signer = caller % 9;
    const std::uint32_t target_type = target / 9, target_signer = target % 9;
    const bool allowed = target_type == 0 || (caller_type >= target_type &&
                                              (kDominate[caller_signer] >> target_signer & 1) != 0);
    const Protection who = level(caller_type, caller_signer);
    const Protection whom = level(target_type, target_signer);
    EXPECT_EQ(dominates(who, whom), allowed) << i;
    EXPECT_EQ(denied_process_rights(who, whom), allowed ? 0 : kProcess[target_signer]) << i;
    EXPECT_EQ(denied_thread_rights(who, whom), allowed ? 0 : kThread[target_signer]) << i;
  }
}

TEST_P(ExecutiveProtectionSpec, T36_dominance_decides_handles) {
  start_protected("counter.exe");
  Process& target = process_of(child.process);
  const ClientId id{target.id, 0};
  for (std::uint32_t i = 0; i < 27; ++i) {
    const Protection who{static_cast<ProtectionType>(i / 9), static_cast<ProtectionSigner>(i % 9)};
    HostActor caller(*executive, "caller", user_token(), who);
    HandleValue handle = 0;
    const bool allowed = dominates(who, target.protection);
    EXPECT_EQ(caller.nt().open_process(handle, process_access::vm_read, {}, &id),
              allowed ? status::success : status::access_denied)
        << i;
  }
}

TEST_P(ExecutiveProtectionSpec, T37_kernel_mode_not_blocked) {
  start_protected("counter.exe");
  HostActor kernel(*executive, "kernel", system_token(), {}, CallerMode::kernel);
  const ClientId id{child.attributes.client_id.process, 0};
  HandleValue handle = 0;
  ASSERT_EQ(kernel.nt().open_process(handle, process_access::vm_read, {}, &id), status::success);
  std::array<std::byte, 2> bytes{};
  std::size_t done = 0;
  EXPECT_EQ(
      kernel.nt().read_virtual_memory(handle, process_of(child.process).image_base, bytes, done),
      status::success);
  EXPECT_EQ(bytes[0], std::byte{'M'});
}

TEST_P(ExecutiveProtectionSpec, T38_token_decides) {
  HandleValue own = 0, low = 0;
  ASSERT_EQ(nt().open_process_token(kCurrentProcess, access::maximum_allowed, own),
            status::success);
  ASSERT_EQ(nt().duplicate_token(own, token_access::all, {}, TokenKind::primary, low),
            status::success);
  ASSERT_EQ(nt().set_token_integrity(low, integrity::low), status::success);
  EXPECT_EQ(nt().set_token_integrity(low, integrity::high), status::privilege_not_held);
  install("counter.exe");
  child.attributes.token = low;
  ASSERT_EQ(start(nt(), "counter.exe", child, true), status::success);
  Process& weak = process_of(child.process);
  EXPECT_EQ(weak.token->data.integrity_level, integrity::low);
  // As the child would call.
  NtApi its(*executive, {.process = &weak, .thread = &thread_of(child.thread)});
  const ClientId id{parent->process().id, 0};
  HandleValue handle = 0;
  EXPECT_EQ(its.open_process(handle, process_access::vm_write, {}, &id), status::access_denied);
  EXPECT_EQ(its.open_process(handle, process_access::vm_read, {}, &id), status::access_denied);
  EXPECT_EQ(its.open_process(handle, process_access::query_limited, {}, &id), status::success);
  // The handle that was born with the child is as strong as it was asked to be.
  const std::uint64_t place = allocate(child.process, 1);
  EXPECT_EQ(write(nt(), child.process, place, std::uint64_t{1}), status::success);
}

TEST_P(ExecutiveProtectionSpec, an_impersonation_token_makes_no_process) {
  HandleValue own = 0, other = 0;
  ASSERT_EQ(nt().open_process_token(kCurrentProcess, access::maximum_allowed, own),
            status::success);
  ASSERT_EQ(nt().duplicate_token(own, token_access::all, {}, TokenKind::impersonation, other),
            status::success);
  install("counter.exe");
  child.attributes.token = other;
  const Counters before = executive->counters();
  EXPECT_EQ(start(nt(), "counter.exe", child, true), status::bad_token_type);
  EXPECT_EQ(executive->counters(), before);
}

}  // namespace
}  // namespace doppel
