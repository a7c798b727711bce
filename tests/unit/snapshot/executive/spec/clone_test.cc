// SPDX-License-Identifier: Apache-2.0
//
// What a clone shares and what it does not, seen through native calls.
#include "executive_world.h"

namespace doppel {
namespace {

class ExecutiveCloneSpec : public ExecutiveSpec {
 protected:
  void SetUp() override {
    install("counter.exe");
    process = create_from_section("counter.exe");
    memory = allocate(process, kPages);
    for (std::uint64_t i = 0; i < kPages; ++i)
      ASSERT_EQ(write(nt(), process, memory + i * kNtPageSize, i), status::success);
  }

  /// Writes one word of each of the pages.
  void touch(HandleValue where, std::uint64_t pages, std::uint64_t value) {
    for (std::uint64_t i = 0; i < pages; ++i)
      ASSERT_EQ(write(nt(), where, memory + i * kNtPageSize, value), status::success);
  }

  static constexpr std::uint64_t kPages = 8;
  HandleValue process = 0;
  std::uint64_t memory = 0;
};

INSTANTIATE_TEST_SUITE_P(Seeds, ExecutiveCloneSpec, ::testing::Values(1, 2, 3));

TEST_P(ExecutiveCloneSpec, T13_isolation_both_ways) {
  const HandleValue copy = clone(process);
  ASSERT_EQ(write(nt(), process, memory, std::uint64_t{100}), status::success);
  ASSERT_EQ(write(nt(), copy, memory + kNtPageSize, std::uint64_t{200}), status::success);
  EXPECT_EQ(read<std::uint64_t>(process, memory), 100u);
  EXPECT_EQ(read<std::uint64_t>(copy, memory), 0u);
  EXPECT_EQ(read<std::uint64_t>(process, memory + kNtPageSize), 1u);
  EXPECT_EQ(read<std::uint64_t>(copy, memory + kNtPageSize), 200u);
}

TEST_P(ExecutiveCloneSpec, T14_no_page_copied) {
  const PhysicalMemory& physical = executive->memory();
  const std::uint64_t before = physical.in_use(), copies = physical.copies();
  const HandleValue copy = clone(process);
  EXPECT_EQ(physical.in_use(), before + 1) << "the PEB";
  EXPECT_EQ(physical.copies(), copies + 1);
  touch(copy, 5, 7);
  EXPECT_EQ(physical.in_use(), before + 1 + 5);
  touch(process, 5, 8);
  EXPECT_EQ(physical.in_use(), before + 1 + 5) << "the last sharer writes in place";
  EXPECT_EQ(physical.copies(), copies + 1 + 5);
}

TEST_P(ExecutiveCloneSpec, T15_commit_of_clone) {
  const Counters before = executive->counters();
  const std::uint64_t charge = process_of(process).space->commit_charge();
  executive->memory().set_commit_limit(before.commit + charge - 1);
  HandleValue copy = 0;
  EXPECT_EQ(nt().create_process_ex(copy, process_access::all, {}, process, 0, 0, 0, 0),
            status::commitment_limit);
  EXPECT_EQ(executive->counters(), before);
  executive->memory().set_commit_limit(before.commit + charge);
  EXPECT_EQ(nt().create_process_ex(copy, process_access::all, {}, process, 0, 0, 0, 0),
            status::success);
  EXPECT_EQ(executive->counters().commit, before.commit + charge);
  EXPECT_EQ(nt().close(copy), status::success);
  EXPECT_EQ(executive->counters(), before);
}

TEST_P(ExecutiveCloneSpec, T16_copy_on_write_cannot_fail_for_commit) {
  const HandleValue copy = clone(process);
  executive->memory().set_commit_limit(executive->counters().commit);
  std::uint64_t base = 0, size = kNtPageSize;
  EXPECT_EQ(nt().allocate_virtual_memory(process, base, 0, size, mem::commit | mem::reserve,
                                         page::readwrite),
            status::commitment_limit);
  for (const HandleValue where : {process, copy}) {
    AddressSpace& space = *process_of(where).space;
    for (const auto& [page, pte] : std::map(space.ptes())) {
      if (!allows(pte.protect, MemoryAccess::write) || pte.guard) continue;
      PageFault fault;
      const std::array<std::byte, 1> byte{std::byte{1}};
      EXPECT_TRUE(space.store(page * kNtPageSize, byte, fault)) << std::hex << page;
    }
  }
}

TEST_P(ExecutiveCloneSpec, T17_share_and_unmap) {
  HandleValue section = 0;
  ASSERT_EQ(nt().create_section(section, section_access::all, {}, kNtPageSize, page::readwrite,
                                sec::commit, 0),
            status::success);
  std::array<std::uint64_t, 2> views{};
  for (const std::uint32_t inherit : {1u, 2u}) {
    std::uint64_t offset = 0, size = 0;
    ASSERT_EQ(nt().map_view_of_section(section, process, views[inherit - 1], 0, 0, offset, size,
                                       inherit, 0, page::readwrite),
              status::success);
  }
  ASSERT_EQ(write(nt(), process, views[0], std::uint64_t{1}), status::success);
  const HandleValue copy = clone(process);
  EXPECT_EQ(read<std::uint64_t>(copy, views[0]), 1u);
  ASSERT_EQ(write(nt(), process, views[0], std::uint64_t{2}), status::success);
  EXPECT_EQ(read<std::uint64_t>(copy, views[0]), 2u);
  ASSERT_EQ(write(nt(), copy, views[0], std::uint64_t{3}), status::success);
  EXPECT_EQ(read<std::uint64_t>(process, views[0]), 3u);
  EXPECT_EQ(query(copy, views[1]).state, mem::free);
  std::uint64_t value = 0;
  std::size_t done = 0;
  EXPECT_EQ(
      nt().read_virtual_memory(copy, views[1], std::as_writable_bytes(std::span(&value, 1)), done),
      status::partial_copy);
  EXPECT_EQ(done, 0u);
}

TEST_P(ExecutiveCloneSpec, T18_guard_independent) {
  const std::uint64_t guarded = allocate(process, 1, page::readwrite | page::guard);
  const HandleValue copy = clone(process);
  std::uint64_t base = guarded, size = kNtPageSize;
  std::uint32_t old = 0;
  ASSERT_EQ(nt().protect_virtual_memory(copy, base, size, page::readonly, old), status::success);
  EXPECT_EQ(old, page::readwrite | page::guard);
  EXPECT_EQ(read<std::uint64_t>(copy, guarded), 0u);
  AddressSpace& space = *process_of(process).space;
  std::array<std::byte, 8> bytes{};
  PageFault fault;
  EXPECT_FALSE(space.load(guarded, bytes, fault));
  EXPECT_EQ(fault.status, status::guard_page_violation);
  EXPECT_TRUE(space.load(guarded, bytes, fault));
}

TEST_P(ExecutiveCloneSpec, T19_query_hides_copy_on_write) {
  const HandleValue copy = clone(process);
  EXPECT_EQ(query(process, memory).protect, page::readwrite);
  EXPECT_EQ(query(copy, memory).protect, page::readwrite);
  ASSERT_EQ(write(nt(), copy, memory, std::uint64_t{1}), status::success);
  EXPECT_EQ(query(copy, memory).protect, page::readwrite);
  // The writable data of the image: write-copy until it is broken.
  std::uint64_t data = process_of(process).image_base;
  const std::uint64_t end = data + process_of(process).section->size();
  while (data < end && query(process, data).protect != page::writecopy) data += kNtPageSize;
  ASSERT_LT(data, end);
  ASSERT_EQ(write(nt(), copy, data, std::uint64_t{1}), status::success);
  EXPECT_EQ(query(copy, data).protect, page::readwrite);
  EXPECT_EQ(query(process, data).protect, page::writecopy);
}

TEST_P(ExecutiveCloneSpec, T39_least_right) {
  const ClientId id{basic(process).id, 0};
  HandleValue narrow = 0, copy = 0;
  ASSERT_EQ(nt().open_process(narrow, process_access::create_process, {}, &id), status::success);
  ASSERT_EQ(nt().create_process_ex(copy, process_access::all, {}, narrow, 0, 0, 0, 0),
            status::success);
  std::uint64_t value = 0;
  std::size_t done = 0;
  const auto bytes = std::as_writable_bytes(std::span(&value, 1));
  EXPECT_EQ(nt().read_virtual_memory(narrow, memory + kNtPageSize, bytes, done),
            status::access_denied);
  EXPECT_EQ(nt().read_virtual_memory(copy, memory + kNtPageSize, bytes, done), status::success);
  EXPECT_EQ(value, 1u);
}

TEST_P(ExecutiveCloneSpec, T50_clone_end) {
  const Counters before = executive->counters();
  const HandleValue copy = clone(process);
  touch(copy, kPages, 9);
  EXPECT_EQ(nt().terminate_process(copy, status::success), status::success);
  EXPECT_EQ(wait(copy), status::success);
  EXPECT_EQ(nt().terminate_process(copy, status::success), status::process_is_terminating);
  EXPECT_EQ(nt().close(copy), status::success);
  EXPECT_EQ(executive->counters(), before);
  EXPECT_EQ(read<std::uint64_t>(process, memory + kNtPageSize), 1u);
}

}  // namespace
}  // namespace doppel
