// SPDX-License-Identifier: Apache-2.0
//
// The order of checks: arguments that are wrong in several ways are refused for the first of them.
// Each line of a test takes one wrong away.
#include <array>

#include "executive_world.h"

namespace doppel {
namespace {

class ExecutiveOrderSpec : public ExecutiveSpec {
 protected:
  void SetUp() override {
    install("counter.exe");
    section = image_section("counter.exe");
    ASSERT_EQ(nt().create_event(event, 0x1F0003, {}, 0, false), status::success);
    ASSERT_EQ(nt().create_process(process, process_access::all, {}, kCurrentProcess, false, section,
                                  0, 0),
              status::success);
    const ClientId id{basic(process).id, 0};
    ASSERT_EQ(nt().open_process(weak, process_access::query_limited, {}, &id), status::success);
    ASSERT_EQ(nt().create_section(data, section_access::all, {}, kNtPageSize, page::readonly,
                                  sec::commit, 0),
              status::success);
  }

  NtStatus create(HandleValue parent_handle, std::uint32_t flags, HandleValue image,
                  HandleValue debug, HandleValue token, std::uint32_t job) {
    HandleValue made = 0;
    const NtStatus answer = nt().create_process_ex(made, process_access::all, {}, parent_handle,
                                                   flags, image, debug, token, job);
    if (answer.succeeded()) {
      EXPECT_EQ(nt().close(made), status::success);
    }
    return answer;
  }

  HandleValue section = 0, data = 0, event = 0, process = 0, weak = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveOrderSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveOrderSpec, create_process_ex) {
  const Counters before = executive->counters();
  EXPECT_EQ(create(0, 0x40, data, 4, event, 1), status::invalid_parameter);
  EXPECT_EQ(create(event, 0x2000, data, 4, event, 1), status::invalid_parameter);
  EXPECT_EQ(create(event, 0x40, data, 4, event, 1), status::invalid_parameter);
  EXPECT_EQ(create(event, 0, data, 4, event, 1), status::invalid_parameter) << "job level";
  EXPECT_EQ(create(event, 0, data, 4, event, 0), status::object_type_mismatch);
  EXPECT_EQ(create(weak, 0, data, 4, event, 0), status::access_denied);
  EXPECT_EQ(create(process, 0, data, 4, event, 0), status::not_supported) << "debug";
  EXPECT_EQ(create(process, 0, 0x4000, 0, event, 0), status::invalid_handle);
  EXPECT_EQ(create(process, 0, event, 0, event, 0), status::object_type_mismatch);
  EXPECT_EQ(create(process, 0, data, 0, event, 0), status::section_not_image);
  EXPECT_EQ(create(process, 0, section, 0, event, 0), status::object_type_mismatch) << "token";
  HandleValue token = 0;
  ASSERT_EQ(nt().open_process_token(kCurrentProcess, access::maximum_allowed, token),
            status::success);
  EXPECT_EQ(create(process, 0, 0, 0, token, 0), status::invalid_parameter)
      << "a clone takes no token";
  EXPECT_EQ(create(process, 0, section, 0, token, 0), status::success);
  EXPECT_EQ(create(process, 0x1007, 0, 0, 0, 0), status::success);
  EXPECT_EQ(nt().close(token), status::success);
  EXPECT_EQ(executive->counters(), before);
}

TEST_P(ExecutiveOrderSpec, create_user_process) {
  HandleValue made = 0, thread = 0;
  UserProcessInfo info{.size = 1, .state = 1};
  UserProcessAttributes attributes{.malformed = true, .parent = event, .token = event};
  const ProcessParameters parameters;
  const auto call = [&](std::uint32_t process_flags, std::uint32_t thread_flags) {
    return nt().create_user_process(made, thread, access::maximum_allowed, access::maximum_allowed,
                                    {}, {}, process_flags, thread_flags, &parameters, info,
                                    attributes);
  };
  const Counters before = executive->counters();
  EXPECT_EQ(call(0x8000, 0), status::invalid_parameter);
  EXPECT_EQ(call(0, 4), status::invalid_parameter);
  EXPECT_EQ(call(0, 0), status::invalid_parameter) << "size";
  info.size = 0x58;
  EXPECT_EQ(call(0, 0), status::invalid_parameter) << "state";
  info.state = 0;
  EXPECT_EQ(call(0, 0), status::invalid_parameter) << "attributes";
  attributes.malformed = false;
  EXPECT_EQ(call(0, 0), status::object_type_mismatch) << "parent";
  attributes.parent = weak;
  EXPECT_EQ(call(0, 0), status::access_denied);
  attributes.parent.reset();
  EXPECT_EQ(call(0, 0), status::invalid_parameter) << "no image, but a token";
  attributes.image_name = "C:\\counter.exe";
  EXPECT_EQ(call(0, 0), status::object_path_syntax_bad);
  EXPECT_EQ(info.state, 1u);
  info.state = 0;
  attributes.image_name = "\\??\\C:\\nothing.exe";
  EXPECT_EQ(call(0, 0), status::object_name_not_found);
  EXPECT_EQ(info.state, 1u);
  executive->files().install("text", std::vector<std::byte>(5000, std::byte{'x'}));
  info.state = 0;
  attributes.image_name = "\\??\\C:\\text";
  EXPECT_EQ(call(0, 0), status::invalid_image_not_mz);
  EXPECT_EQ(info.state, 2u);
  info.state = 0;
  attributes.image_name = "\\??\\C:\\counter.exe";
  EXPECT_EQ(call(process_flag::protected_process, 0), status::object_type_mismatch) << "token";
  attributes.token.reset();
  EXPECT_EQ(call(process_flag::protected_process, 0), status::invalid_image_hash);
  attributes.handle_list = std::vector<HandleValue>{event};
  EXPECT_EQ(call(process_flag::inherit_handles, 0), status::invalid_parameter)
      << "listed, but not inheritable";
  EXPECT_EQ(executive->counters(), before);
  EXPECT_EQ(info.state, 0u);
  attributes.handle_list.reset();
  EXPECT_EQ(call(0, 1), status::success);
  EXPECT_EQ(info.state, 6u);
}

TEST_P(ExecutiveOrderSpec, open_process) {
  HandleValue handle = 0;
  ClientId id{4444, 0};
  EXPECT_EQ(nt().open_process(handle, 1, named("\\x"), &id), status::invalid_parameter_mix);
  EXPECT_EQ(nt().open_process(handle, 1, {}, nullptr), status::invalid_parameter_mix);
  EXPECT_EQ(nt().open_process(handle, 1, {.attributes = object_attribute::open_if}, &id),
            status::invalid_parameter);
  EXPECT_EQ(nt().open_process(handle, 1, {}, &id), status::invalid_cid);
  id = {basic(process).id, 4444};
  EXPECT_EQ(nt().open_process(handle, 1, {}, &id), status::invalid_cid) << "the thread counts";
  id.thread = 0;
  EXPECT_EQ(nt().open_process(handle, 1, {}, &id), status::success);
  ASSERT_EQ(nt().terminate_process(process, status::success), status::success);
  EXPECT_EQ(nt().open_process(handle, 1, {}, &id), status::success) << "dead, but referred to";
  EXPECT_EQ(nt().terminate_process(handle, status::success), status::process_is_terminating);
}

TEST_P(ExecutiveOrderSpec, read_and_write) {
  std::array<std::byte, 8> bytes{};
  std::size_t done = 0;
  EXPECT_EQ(nt().read_virtual_memory(event, ~0ull, bytes, done), status::access_violation);
  EXPECT_EQ(nt().read_virtual_memory(event, kUserEnd - 4, bytes, done), status::access_violation);
  EXPECT_EQ(nt().read_virtual_memory(event, 0x10000, {}, done), status::success)
      << "nothing to do: the handle is not looked at";
  EXPECT_EQ(nt().read_virtual_memory(event, 0x10000, bytes, done), status::object_type_mismatch);
  EXPECT_EQ(nt().read_virtual_memory(weak, 0x10000, bytes, done), status::access_denied);
  EXPECT_EQ(nt().write_virtual_memory(weak, 0x10000, bytes, done), status::access_denied);
  EXPECT_EQ(nt().read_virtual_memory(process, 0x20000, bytes, done), status::partial_copy);
  const std::uint64_t two = allocate(process, 2);
  std::array<std::byte, 3 * kNtPageSize> many{};
  EXPECT_EQ(nt().read_virtual_memory(process, two, many, done), status::partial_copy);
  EXPECT_EQ(done, 2 * kNtPageSize);
  ASSERT_EQ(nt().terminate_process(process, status::success), status::success);
  EXPECT_EQ(nt().read_virtual_memory(process, two, bytes, done), status::process_is_terminating);
}

TEST_P(ExecutiveOrderSpec, memory) {
  std::uint64_t base = 0, size = 0;
  const auto allocation = [&](HandleValue handle, std::uint64_t zero_bits, std::uint32_t type,
                              std::uint32_t protect) {
    return nt().allocate_virtual_memory(handle, base, zero_bits, size, type, protect);
  };
  EXPECT_EQ(allocation(event, 1, 0, 0), status::invalid_parameter_3);
  EXPECT_EQ(allocation(event, 0, 0, 0), status::invalid_parameter_5);
  EXPECT_EQ(allocation(event, 0, mem::reserve, 0), status::invalid_page_protection);
  EXPECT_EQ(allocation(event, 0, mem::reserve, page::readwrite), status::invalid_parameter_4);
  size = kNtPageSize;
  EXPECT_EQ(allocation(event, 0, mem::reserve, page::readwrite), status::object_type_mismatch);
  EXPECT_EQ(allocation(weak, 0, mem::reserve, page::readwrite), status::access_denied);
  EXPECT_EQ(allocation(process, 0, mem::reserve, page::writecopy), status::invalid_page_protection);
  EXPECT_EQ(allocation(process, 0, mem::reserve, page::readwrite), status::success);
  EXPECT_EQ(nt().free_virtual_memory(event, base, size, mem::commit), status::invalid_parameter_4);
  EXPECT_EQ(nt().free_virtual_memory(weak, base, size, mem::release), status::access_denied);
  std::uint32_t old = 0;
  EXPECT_EQ(nt().protect_virtual_memory(event, base, size, 0, old),
            status::invalid_page_protection);
  EXPECT_EQ(nt().protect_virtual_memory(process, base, size, page::readonly, old),
            status::not_committed);
  std::uint64_t length = 0;
  std::array<std::byte, 48> record{};
  EXPECT_EQ(nt().query_virtual_memory(event, kUserEnd, 0, {}, length), status::invalid_parameter);
  EXPECT_EQ(nt().query_virtual_memory(event, base, 0, {}, length), status::info_length_mismatch);
  EXPECT_EQ(nt().query_virtual_memory(weak, base, 0, record, length), status::access_denied);
  EXPECT_EQ(nt().query_virtual_memory(process, base, 0, record, length), status::success);
  EXPECT_EQ(length, 48u);
}

TEST_P(ExecutiveOrderSpec, sections) {
  std::uint64_t base = 0x20001, offset = 1, size = 0;
  const auto map = [&](HandleValue what, HandleValue where, std::uint32_t inherit,
                       std::uint32_t type, std::uint32_t protect) {
    return nt().map_view_of_section(what, where, base, 0, 0, offset, size, inherit, type, protect);
  };
  EXPECT_EQ(map(event, event, 3, 0xFF, 0), status::invalid_parameter_8);
  EXPECT_EQ(map(event, event, 1, 0xFF, 0), status::invalid_parameter_9);
  EXPECT_EQ(map(event, event, 1, 0, 0), status::invalid_page_protection);
  EXPECT_EQ(map(event, event, 1, 0, page::readonly), status::object_type_mismatch);
  EXPECT_EQ(map(event, weak, 1, 0, page::readonly), status::access_denied) << "process first";
  EXPECT_EQ(map(event, process, 1, 0, page::readonly), status::object_type_mismatch);
  EXPECT_EQ(map(data, process, 1, 0, page::readonly), status::mapped_alignment);
  base = 0;
  offset = 0;
  EXPECT_EQ(map(data, process, 1, 0, page::readwrite), status::section_protection);
  EXPECT_EQ(map(data, process, 1, 0, page::readonly), status::success);
  EXPECT_EQ(nt().unmap_view_of_section(process, base + 16), status::success);
  EXPECT_EQ(nt().unmap_view_of_section(process, base), status::not_mapped_view);
  std::array<std::byte, 64> image{};
  std::uint64_t length = 0;
  EXPECT_EQ(nt().query_section(event, 0, {}, length), status::invalid_info_class);
  EXPECT_EQ(nt().query_section(event, 1, {}, length), status::info_length_mismatch);
  EXPECT_EQ(nt().query_section(data, 1, image, length), status::section_not_image);
  EXPECT_EQ(nt().query_section(section, 1, image, length), status::success);
  HandleValue made = 0;
  EXPECT_EQ(nt().create_section(made, 0, {}, 0, 0, 0, event), status::invalid_parameter_6);
  EXPECT_EQ(nt().create_section(made, 0, {}, 0, 0, sec::commit, event),
            status::invalid_page_protection);
  EXPECT_EQ(nt().create_section(made, 0, {}, 0, page::readonly, sec::commit, 0),
            status::invalid_parameter_4);
  EXPECT_EQ(nt().create_section(made, 0, {}, 0, page::readonly, sec::commit, event),
            status::object_type_mismatch);
  HandleValue file = 0;
  ASSERT_EQ(open_file(nt(), "counter.exe", access::generic_read, 7, FileDisposition::open, file),
            status::success);
  EXPECT_EQ(nt().create_section(made, 0, {}, 0, page::readwrite, sec::commit, file),
            status::access_denied);
  executive->files().install("empty", {});
  ASSERT_EQ(open_file(nt(), "empty", access::generic_read, 7, FileDisposition::open, file),
            status::success);
  EXPECT_EQ(nt().create_section(made, 0, {}, 0, page::readonly, sec::commit, file),
            status::mapped_file_size_zero);
  EXPECT_EQ(nt().create_section(made, 0, {}, 5, page::readonly, sec::commit, file),
            status::section_too_big);
}

TEST_P(ExecutiveOrderSpec, queries) {
  std::array<std::byte, 48> record{};
  std::uint32_t length = 0;
  EXPECT_EQ(nt().query_information_process(event, 1000, {}, length), status::invalid_info_class);
  EXPECT_EQ(nt().query_information_process(event, 0, {}, length), status::info_length_mismatch);
  EXPECT_EQ(nt().query_information_process(event, 0, record, length), status::object_type_mismatch);
  EXPECT_EQ(nt().query_information_process(weak, 0, record, length), status::success);
  EXPECT_EQ(nt().query_information_process(weak, 51, record, length), status::access_denied);
  EXPECT_EQ(nt().query_information_process(weak, 27, {}, length), status::info_length_mismatch);
  EXPECT_GT(length, 16u);
  HandleValue copy = 0;
  ASSERT_EQ(nt().create_process_ex(copy, process_access::all, {}, process,
                                   process_flag::release_section, 0, 0, 0),
            status::success);
  EXPECT_EQ(nt().query_information_process(copy, 27, record, length),
            status::process_is_terminating);
  EXPECT_EQ(nt().set_information_process(process, 9, {}), status::info_length_mismatch);
  EXPECT_EQ(nt().set_information_process(process, 9, std::span(record).first(16)),
            status::privilege_not_held);
}

TEST_P(ExecutiveOrderSpec, profile_before_vista) {
  boot({.profile = NtProfile::nt52});
  install("counter.exe");
  Started started;
  EXPECT_EQ(start(nt(), "counter.exe", started), status::invalid_system_service);
  const HandleValue made = create_from_section("counter.exe");
  HandleValue thread = 0;
  EXPECT_EQ(nt().create_thread_ex(thread, thread_access::all, {}, made, 0, 0, 0, 0, 0),
            status::invalid_system_service);
  // No integrity levels: a lower one is no hindrance.
  TokenData low = user_token();
  low.integrity_level = integrity::low;
  HostActor weaker(*executive, "weaker", low);
  const ClientId id{basic(made).id, 0};
  EXPECT_EQ(weaker.nt().open_process(thread, process_access::vm_write, {}, &id), status::success);
}

TEST_P(ExecutiveOrderSpec, a_wait_that_nobody_ends_is_a_deadlock) {
  install("server.exe");
  const Started server = start("server.exe");
  EXPECT_EQ(executive->stepper().step(1'000'000), StepOutcome::deadlock);
  EXPECT_EQ(nt().terminate_process(server.process, status::success), status::success);
  EXPECT_EQ(executive->stepper().step(10), StepOutcome::idle);
}

}  // namespace
}  // namespace doppel
