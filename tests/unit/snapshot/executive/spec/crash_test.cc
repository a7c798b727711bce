// SPDX-License-Identifier: Apache-2.0
//
// Crash, clone without handles, restart: the statement that all of this exists for, and its
// counter-example.
#include <algorithm>
#include <map>

#include "executive_world.h"

namespace doppel {
namespace {

using Pages = std::map<std::uint64_t, std::vector<std::byte>>;

class ExecutiveCrashSpec : public ExecutiveSpec {
 protected:
  /// The holder, crashed, and its clone.
  void crash_and_clone(bool inherit) {
    boot({});
    install("holder.exe");
    port = listen_for_crashes();
    holder = start("holder.exe", false, 0, inherit ? "holder.exe inherit" : "holder.exe");
    message = next_crash(port);
    ASSERT_EQ(message.record.code, status::access_violation);
    ASSERT_EQ(message.process, basic(holder.process).id);
    at_crash = contents(holder.process);
    copy = clone(holder.process, inherit ? process_flag::inherit_handles : 0);
  }

  void let_it_die() {
    ASSERT_EQ(nt().reply_crash(port, message.sequence, status::dbg_exception_not_handled),
              status::success);
    ASSERT_EQ(wait(holder.process), status::success);
    ASSERT_EQ(exit_status(holder.process), status::access_violation.value);
  }

  /// Runs another instance to its end: its own crash when it got all it wanted (which is answered
  /// and given back as an access violation), else the status that refused it.
  std::uint32_t second_instance() {
    const Started second = start("holder.exe");
    EXPECT_NE(executive->stepper().run_until(
                  [&] {
                    CrashMessage its;
                    if (nt().receive_crash(port, its) == status::success) {
                      EXPECT_EQ(
                          nt().reply_crash(port, its.sequence, status::dbg_exception_not_handled),
                          status::success);
                    }
                    return process_of(second.process).signalled;
                  },
                  1'000'000),
              StepOutcome::max_steps);
    const std::uint32_t ended = exit_status(second.process);
    EXPECT_EQ(nt().close(second.process), status::success);
    EXPECT_EQ(nt().close(second.thread), status::success);
    return ended;
  }

  /// All readable pages, by native calls of a reader.
  Pages contents(HandleValue process, const std::function<void(std::size_t)>& before_page = {}) {
    Pages pages;
    std::size_t count = 0;
    for (std::uint64_t at = kUserBegin; at < kUserEnd;) {
      const MemoryInformation region = query(process, at);
      const bool readable =
          region.state == mem::commit && (region.protect & (page::noaccess | page::guard)) == 0;
      for (std::uint64_t i = 0; readable && i < region.size; i += kNtPageSize) {
        if (before_page) before_page(count);
        ++count;
        std::vector<std::byte> bytes(kNtPageSize);
        std::size_t done = 0;
        EXPECT_EQ(nt().read_virtual_memory(process, region.base + i, bytes, done), status::success);
        pages.emplace(region.base + i, std::move(bytes));
      }
      at = region.base + region.size;
    }
    return pages;
  }

  HandleValue port = 0, copy = 0;
  Started holder;
  CrashMessage message;
  Pages at_crash;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveCrashSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveCrashSpec, T20_restart_without_violation) {
  for (const std::size_t percent : {0u, 50u, 99u}) {
    crash_and_clone(false);
    let_it_die();
    const std::size_t when = at_crash.size() * percent / 100;
    std::uint32_t second = 0;
    Pages dumped = contents(copy, [&](std::size_t page) {
      if (page == when) second = second_instance();
    });
    EXPECT_EQ(second, status::access_violation.value) << "it opened, locked and made all it wanted";
    // The clone's own mark is the one byte that differs.
    ASSERT_EQ(dumped.size(), at_crash.size());
    const std::uint64_t peb = basic(copy).peb;
    EXPECT_EQ(dumped[peb][0], std::byte{1});
    dumped[peb][0] = std::byte{0};
    EXPECT_EQ(dumped, at_crash);
    EXPECT_EQ(process_of(copy).handles.count(), 0u);
  }
}

TEST_P(ExecutiveCrashSpec, T21_negative_control) {
  for (const bool terminates : {true, false}) {
    crash_and_clone(true);
    let_it_die();
    EXPECT_EQ(second_instance(), status::sharing_violation.value);
    EXPECT_EQ(second_instance(), status::sharing_violation.value) << "for as long as it lives";
    if (terminates) {
      EXPECT_EQ(nt().terminate_process(copy, status::success), status::success);
    } else {
      EXPECT_EQ(nt().close(copy), status::success);
    }
    EXPECT_EQ(second_instance(), status::access_violation.value);
  }
}

TEST_P(ExecutiveCrashSpec, T22_delete_on_close) {
  for (const bool inherit : {false, true}) {
    boot({});
    install("counter.exe");
    Started victim = start("counter.exe", true);
    HandleValue file = 0, theirs = 0;
    ASSERT_EQ(open_file(nt(), "temporary", access::generic_read | access::delete_object, 7,
                        FileDisposition::create, file, file_option::delete_on_close),
              status::success);
    ASSERT_EQ(nt().duplicate_object(kCurrentProcess, file, victim.process, theirs, 0,
                                    object_attribute::inherit,
                                    duplicate_option::same_access | duplicate_option::close_source),
              status::success);
    copy = clone(victim.process, inherit ? process_flag::inherit_handles : 0);
    ASSERT_EQ(nt().terminate_process(victim.process, status::access_violation), status::success);
    HandleValue again = 0;
    EXPECT_EQ(open_file(nt(), "temporary", access::generic_read, 7, FileDisposition::create, again),
              inherit ? status::object_name_collision : status::success);
    if (!inherit) continue;
    // Disposition set by somebody else, and the clone still holds it.
    HandleValue other = 0;
    ASSERT_EQ(open_file(nt(), "temporary", access::delete_object, 7, FileDisposition::open, other),
              status::success);
    const std::array<std::byte, 1> yes{std::byte{1}};
    ASSERT_EQ(nt().set_information_file(other, 13, yes), status::success);
    ASSERT_EQ(nt().close(other), status::success);
    EXPECT_EQ(open_file(nt(), "temporary", access::generic_read, 7, FileDisposition::create, again),
              status::delete_pending);
    ASSERT_EQ(nt().terminate_process(copy, status::success), status::success);
    EXPECT_EQ(open_file(nt(), "temporary", access::generic_read, 7, FileDisposition::create, again),
              status::success);
  }
}

TEST_P(ExecutiveCrashSpec, T23_lock_ownership) {
  for (const bool inherit : {false, true}) {
    crash_and_clone(inherit);
    const auto node = executive->files().find("data.bin");
    ASSERT_TRUE(node);
    EXPECT_EQ(node->locks.size(), 1u);
    let_it_die();
    EXPECT_TRUE(node->locks.empty()) << "a lock belongs to the process that is dead";
    EXPECT_EQ(node->opens, inherit ? 1u : 0u);
  }
}

TEST_P(ExecutiveCrashSpec, T24_named_mutant) {
  for (const bool inherit : {false, true}) {
    crash_and_clone(inherit);
    let_it_die();
    HandleValue mutant = 0;
    EXPECT_EQ(nt().create_mutant(mutant, 0x1F0001, named("\\BaseNamedObjects\\holder"), true),
              inherit ? status::object_name_collision : status::success);
  }
}

TEST_P(ExecutiveCrashSpec, T25_honest_limits) {
  boot({});
  install("counter.exe");
  executive->files().install("mapped", std::vector<std::byte>(3 * kNtPageSize));
  const Started victim = start("counter.exe", true);
  HandleValue file = 0, section = 0;
  ASSERT_EQ(open_file(nt(), "mapped", access::generic_read, 7, FileDisposition::open, file),
            status::success);
  ASSERT_EQ(
      nt().create_section(section, section_access::all, {}, 0, page::readonly, sec::commit, file),
      status::success);
  std::uint64_t base = 0, offset = 0, size = 0;
  ASSERT_EQ(nt().map_view_of_section(section, victim.process, base, 0, 0, offset, size, 1, 0,
                                     page::readonly),
            status::success);
  ASSERT_EQ(nt().close(file), status::success);
  ASSERT_EQ(nt().close(section), status::success);
  copy = clone(victim.process);
  ASSERT_EQ(nt().terminate_process(victim.process, status::access_violation), status::success);
  ASSERT_EQ(nt().close(victim.process), status::success);
  ASSERT_EQ(nt().close(victim.thread), status::success);
  const std::array<std::byte, 1> yes{std::byte{1}};
  const std::array<std::byte, 8> zero{};
  const auto try_all = [&](NtStatus write_open, NtStatus disposition, NtStatus truncation) {
    HandleValue handle = 0;
    const NtStatus opened =
        open_file(nt(), "counter.exe", access::generic_write, 7, FileDisposition::open, handle);
    EXPECT_EQ(opened, write_open);
    if (opened.succeeded()) {
      EXPECT_EQ(nt().close(handle), status::success);
    }
    ASSERT_EQ(open_file(nt(), "mapped", access::generic_write, 7, FileDisposition::open, handle),
              status::success);
    EXPECT_EQ(nt().set_information_file(handle, 20, zero), truncation);
    ASSERT_EQ(nt().close(handle), status::success);
    ASSERT_EQ(
        open_file(nt(), "counter.exe", access::delete_object, 7, FileDisposition::open, handle),
        status::success);
    EXPECT_EQ(nt().set_information_file(handle, 13, yes), disposition);
    ASSERT_EQ(nt().close(handle), status::success);
  };
  try_all(status::sharing_violation, status::cannot_delete, status::user_mapped_file);
  HandleValue overwritten = 0;
  EXPECT_EQ(
      open_file(nt(), "mapped", access::generic_write, 7, FileDisposition::overwrite, overwritten),
      status::user_mapped_file);
  Started again;
  EXPECT_EQ(start(nt(), "counter.exe", again, true), status::success) << "starting it is fine";
  for (const HandleValue handle : {again.process, again.thread}) {
    if (handle == again.process) {
      ASSERT_EQ(nt().terminate_process(handle, status::success), status::success);
    }
    ASSERT_EQ(nt().close(handle), status::success);
  }
  ASSERT_EQ(nt().close(copy), status::success);
  try_all(status::success, status::success, status::success);
}

TEST_P(ExecutiveCrashSpec, T52_stack_growth_and_overflow) {
  for (const char* guest : {"crash_stack.exe", "crash_stack-O2.exe"}) {
    boot({});
    install(guest);
    port = listen_for_crashes();
    const Started started = start(guest);
    const NtThread& thread = thread_of(started.thread);
    const std::uint64_t limit = thread.stack_limit;
    const std::uint64_t bottom = read<std::uint64_t>(started.process, thread.teb + 0x1478);
    message = next_crash(port);
    EXPECT_EQ(message.record.code, status::stack_overflow);
    EXPECT_LT(read<std::uint64_t>(started.process, thread.teb + 0x10), limit);
    EXPECT_LE(message.context.registers.general[kRsp], bottom + 4 * kNtPageSize)
        << "it grew down to the reserve";
    const HandleValue dump = clone(started.process);
    EXPECT_EQ(query(dump, thread.stack_base - kNtPageSize).state, mem::commit);
  }
}

TEST_P(ExecutiveCrashSpec, every_kind_of_crash_has_its_code) {
  const std::map<std::string, NtStatus> kinds = {{"crash_av", status::access_violation},
                                                 {"crash_div", status::integer_divide_by_zero},
                                                 {"crash_int3", status::breakpoint},
                                                 {"crash_ud2", status::illegal_instruction},
                                                 {"crash_guard", status::guard_page_violation}};
  for (const auto& [guest, code] : kinds) {
    for (const char* suffix : {".exe", "-O2.exe"}) {
      boot({});
      install(guest + suffix);
      port = listen_for_crashes();
      const Started started = start(guest + suffix);
      message = next_crash(port);
      EXPECT_EQ(message.record.code, code) << guest;
      EXPECT_EQ(message.record.address, message.context.registers.rip);
      EXPECT_EQ(nt().reply_crash(port, message.sequence, status::dbg_exception_not_handled),
                status::success);
      EXPECT_EQ(exit_status(started.process), code.value);
    }
  }
}

TEST_P(ExecutiveCrashSpec, a_port_that_goes_ends_who_waits_there) {
  crash_and_clone(false);
  ASSERT_EQ(nt().close(port), status::success);
  EXPECT_EQ(nt().wait_for_single_object(holder.process, 0), status::success);
  EXPECT_EQ(exit_status(holder.process), status::access_violation.value);
}

/// The pages that `gens` stamps: sixteen in a row of the image that differ by one at most.
class ExecutivePointInTimeSpec : public ExecutiveCrashSpec {
 protected:
  static constexpr std::uint64_t kPages = 16;

  void run_gens() {
    install("gens.exe");
    process = start("gens.exe").process;
    executive->stepper().step(30'000);
    const Process& running = process_of(process);
    const std::uint64_t end = running.image_base + running.section->size();
    for (first = running.image_base; first + kPages * kNtPageSize <= end; first += kNtPageSize) {
      if (stamped(generations(process, first, 0))) return;
    }
    FAIL() << "no stamped pages";
  }

  /// Reads one page after the other, with `steps` of the guest between.
  std::vector<std::uint64_t> generations(HandleValue from, std::uint64_t base,
                                         std::uint64_t steps) {
    std::vector<std::uint64_t> found;
    for (std::uint64_t i = 0; i < kPages; ++i) {
      found.push_back(read<std::uint64_t>(from, base + i * kNtPageSize));
      if (steps != 0) executive->stepper().step(steps);
    }
    return found;
  }

  static bool stamped(const std::vector<std::uint64_t>& found) {
    return found.front() > 1 && found.front() < 1'000'000 && one_instant(found);
  }

  static bool one_instant(const std::vector<std::uint64_t>& found) {
    return std::ranges::is_sorted(found, std::greater<>()) && found.front() - found.back() <= 1;
  }

  HandleValue process = 0;
  std::uint64_t first = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutivePointInTimeSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutivePointInTimeSpec, T27_point_in_time) {
  run_gens();
  for (int i = 0; i < 20; ++i) {
    executive->stepper().step(37);
    copy = clone(process);
    const auto found = generations(copy, first, 50);
    EXPECT_TRUE(one_instant(found)) << ::testing::PrintToString(found);
    ASSERT_EQ(nt().close(copy), status::success);
  }
}

TEST_P(ExecutivePointInTimeSpec, T28_negative_control) {
  run_gens();
  int torn = 0;
  for (int i = 0; i < 20; ++i) {
    executive->stepper().step(37);
    if (!one_instant(generations(process, first, 50))) ++torn;
  }
  EXPECT_GT(torn, 0);
}

}  // namespace
}  // namespace doppel
