// SPDX-License-Identifier: Apache-2.0
//
// Private memory: the statuses of NtAllocate-, NtFree- and NtProtectVirtualMemory in their order of
// checks, commit, queries, guards and the growth of stacks.
#include "memory_world.h"

namespace doppel {
namespace {

class AddressSpaceTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(world_.wrong(), "");
    world_.spaces.clear();
    EXPECT_EQ(world_.counters, Counters{});
  }

  std::uint32_t allocate(std::uint64_t base, std::uint64_t size, std::uint32_t type,
                         std::uint32_t protect = page::readwrite) {
    return space_.allocate(base, size, type, protect).value;
  }

  std::uint32_t release(std::uint64_t base, std::uint64_t size, std::uint32_t type = mem::release) {
    return space_.free(base, size, type).value;
  }

  MemoryWorld world_;
  AddressSpace& space_ = world_.add();
};

TEST_F(AddressSpaceTest, AllocateChecksInOrder) {
  const std::uint64_t high = kUserEnd;
  EXPECT_EQ(allocate(high, 0, 0, 0), status::invalid_parameter_5.value);
  EXPECT_EQ(allocate(high, 0, mem::top_down, 0), status::invalid_parameter_5.value);
  EXPECT_EQ(allocate(high, 0, mem::reserve | mem::release, 0), status::invalid_parameter_5.value);
  EXPECT_EQ(allocate(high, 0, mem::reserve, 0), status::invalid_page_protection.value);
  EXPECT_EQ(allocate(high, 0, mem::reserve, page::readonly | page::readwrite),
            status::invalid_page_protection.value);
  EXPECT_EQ(allocate(high, 0, mem::reserve, page::noaccess | page::guard),
            status::invalid_page_protection.value);
  EXPECT_EQ(allocate(high, 0, mem::reserve), status::invalid_parameter_2.value);
  EXPECT_EQ(allocate(kUserBegin, 0, mem::reserve), status::invalid_parameter_4.value);
  EXPECT_EQ(allocate(kUserBegin, ~0ull, mem::reserve), status::invalid_parameter_4.value);
  EXPECT_EQ(allocate(0, kUserEnd, mem::reserve), status::no_memory.value);
  EXPECT_EQ(allocate(0, 1, mem::reserve, page::writecopy), status::invalid_page_protection.value);
  EXPECT_EQ(allocate(0x1000, 1, mem::reserve), status::conflicting_addresses.value);
  EXPECT_EQ(allocate(0x20000, 0x1000, mem::commit), status::conflicting_addresses.value);
  EXPECT_EQ(allocate(0x20000, 0x2000, mem::reserve), 0U);
  EXPECT_EQ(allocate(0x20000, 0x1000, mem::reserve), status::conflicting_addresses.value);
  EXPECT_EQ(allocate(0x21000, 0x2000, mem::commit), status::conflicting_addresses.value);
  EXPECT_EQ(allocate(0, 5000 * kNtPageSize, mem::reserve | mem::commit),
            status::commitment_limit.value);
  EXPECT_EQ(allocate(0, std::uint64_t{1} << 40, mem::reserve | mem::commit),
            status::commitment_limit.value);
}

TEST_F(AddressSpaceTest, PlacesLowestOrHighest) {
  std::uint64_t base = 0;
  std::uint64_t size = 1;
  ASSERT_TRUE(space_.allocate(base, size, mem::reserve, page::readwrite).succeeded());
  EXPECT_EQ(base, kUserBegin);
  EXPECT_EQ(size, kNtPageSize);
  base = 0;
  size = 0x18000;
  ASSERT_TRUE(space_.allocate(base, size, mem::reserve, page::readwrite).succeeded());
  EXPECT_EQ(base, kUserBegin + 0x10000);
  base = 0;
  size = 0x1000;
  ASSERT_TRUE(
      space_.allocate(base, size, mem::reserve | mem::top_down, page::readwrite).succeeded());
  EXPECT_EQ(base, kUserEnd - 0x10000);
  // The hole that a release leaves is used again.
  EXPECT_EQ(release(kUserBegin, 0), 0U);
  base = 0;
  size = 0x10000;
  ASSERT_TRUE(space_.allocate(base, size, mem::reserve, page::readwrite).succeeded());
  EXPECT_EQ(base, kUserBegin);
  // A base is rounded down to the granularity, the end up to a page.
  base = 0x71234;
  size = 0x1000;
  ASSERT_TRUE(space_.allocate(base, size, mem::reserve, page::readwrite).succeeded());
  EXPECT_EQ(base, 0x70000U);
  EXPECT_EQ(size, 0x3000U);
}

TEST_F(AddressSpaceTest, SystemBlocksLieTopDownPageByPage) {
  std::uint64_t peb = 0;
  std::uint64_t teb = 0;
  ASSERT_TRUE(space_.allocate_system(1, peb).succeeded());
  ASSERT_TRUE(space_.allocate_system(2, teb).succeeded());
  EXPECT_EQ(peb, kSystemBlockTop - 0x1000);
  EXPECT_EQ(teb, kSystemBlockTop - 0x3000);
  EXPECT_EQ(poke(space_, teb, 1), 0U);
  EXPECT_EQ(space_.commit_charge(), 3U);
}

TEST_F(AddressSpaceTest, CommitIsChargedOnceAndReturned) {
  std::uint64_t base = 0x100000;
  EXPECT_EQ(allocate(base, 0x10000, mem::reserve), 0U);
  EXPECT_EQ(space_.commit_charge(), 0U);
  EXPECT_EQ(allocate(base + 0x2000, 0x3000, mem::commit), 0U);
  EXPECT_EQ(space_.commit_charge(), 3U);
  EXPECT_EQ(poke(space_, base + 0x2000, 7), 0U);
  // Again, overlapping: only what is new is charged; the page stays, the protection is set.
  EXPECT_EQ(allocate(base, 0x10000, mem::commit, page::readonly), 0U);
  EXPECT_EQ(space_.commit_charge(), 16U);
  EXPECT_EQ(peek(space_, base + 0x2000), 7);
  EXPECT_EQ(poke(space_, base + 0x2000, 8), status::access_violation.value);
  EXPECT_EQ(release(base + 0x2000, 0x1000, mem::decommit), 0U);
  EXPECT_EQ(space_.commit_charge(), 15U);
  EXPECT_EQ(peek(space_, base + 0x2000), -1);
  EXPECT_EQ(state_at(space_, base + 0x2000), mem::reserve);
  // What was decommitted comes back as zeros.
  EXPECT_EQ(allocate(base + 0x2000, 1, mem::commit), 0U);
  EXPECT_EQ(peek(space_, base + 0x2000), 0);
  EXPECT_EQ(release(base, 0), 0U);
  EXPECT_EQ(space_.commit_charge(), 0U);
  EXPECT_EQ(space_.peak_commit_charge(), 16U);
  EXPECT_EQ(world_.memory.in_use(), 0U);
}

TEST_F(AddressSpaceTest, FreeChecksInOrder) {
  const std::uint64_t base = commit(space_, 0x10000);
  EXPECT_EQ(release(kUserEnd, ~0ull, 0), status::invalid_parameter_4.value);
  EXPECT_EQ(release(kUserEnd, ~0ull, mem::release | mem::decommit),
            status::invalid_parameter_4.value);
  EXPECT_EQ(release(kUserEnd, ~0ull), status::invalid_parameter_2.value);
  EXPECT_EQ(release(base, ~0ull), status::invalid_parameter_3.value);
  EXPECT_EQ(release(base + 0x100000, 0), status::memory_not_allocated.value);
  EXPECT_EQ(release(base, 0x11000), status::unable_to_free_vm.value);
  EXPECT_EQ(release(base + 0x1000, 0), status::free_vm_not_at_base.value);
  EXPECT_EQ(release(base + 0x1000, 0, mem::decommit), status::free_vm_not_at_base.value);
  const ObjectRef<Section> section = world_.section(0x1000, page::readwrite, sec::commit);
  std::uint64_t view = 0;
  ASSERT_EQ(map_view(space_, section, page::readwrite, view), 0U);
  EXPECT_EQ(release(view, 0), status::unable_to_delete_section.value);
  EXPECT_EQ(space_.unmap(view).value, 0U);
  EXPECT_EQ(space_.unmap(view).value, status::not_mapped_view.value);
  EXPECT_EQ(space_.unmap(base).value, status::not_mapped_view.value);
}

TEST_F(AddressSpaceTest, ReleasingTheMiddleSplits) {
  const std::uint64_t base = commit(space_, 0x10000);
  EXPECT_EQ(poke(space_, base, 1), 0U);
  EXPECT_EQ(poke(space_, base + 0xF000, 2), 0U);
  EXPECT_EQ(release(base + 0x4000, 0x2000), 0U);
  EXPECT_EQ(world_.wrong(), "");
  EXPECT_EQ(space_.commit_charge(), 14U);
  MemoryInformation information;
  ASSERT_TRUE(space_.query(base + 0x4000, information).succeeded());
  EXPECT_EQ(
      information,
      (MemoryInformation{
          .base = base + 0x4000, .size = 0x2000, .state = mem::free, .protect = page::noaccess}));
  ASSERT_TRUE(space_.query(base + 0x7123, information).succeeded());
  EXPECT_EQ(information, (MemoryInformation{.base = base + 0x7000,
                                            .allocation_base = base + 0x6000,
                                            .allocation_protect = page::readwrite,
                                            .size = 0x9000,
                                            .state = mem::commit,
                                            .protect = page::readwrite,
                                            .type = mem::private_memory}));
  EXPECT_EQ(peek(space_, base), 1);
  EXPECT_EQ(peek(space_, base + 0xF000), 2);
  // Head and tail of what is left.
  EXPECT_EQ(release(base, 0x1000), 0U);
  EXPECT_EQ(release(base + 0xF000, 0x1000), 0U);
  EXPECT_EQ(space_.commit_charge(), 12U);
}

TEST_F(AddressSpaceTest, SplitThatFailsChangesNothing) {
  const std::uint64_t base = commit(space_, 0x3000);
  world_.plan = FaultPlan::nth(FaultSite::vad_insert, 1);
  EXPECT_EQ(release(base + 0x1000, 0x1000), status::no_memory.value);
  EXPECT_EQ(space_.commit_charge(), 3U);
  EXPECT_EQ(poke(space_, base + 0x1000, 1), 0U);
}

TEST_F(AddressSpaceTest, ProtectChecksInOrder) {
  const std::uint64_t base = commit(space_, 0x3000);
  EXPECT_EQ(set_protect(space_, kUserEnd, 0, 3), status::invalid_page_protection.value);
  EXPECT_EQ(set_protect(space_, kUserEnd, 0, page::readonly), status::invalid_parameter_2.value);
  EXPECT_EQ(set_protect(space_, base, 0, page::readonly), status::invalid_parameter_3.value);
  EXPECT_EQ(set_protect(space_, base, ~0ull, page::readonly), status::invalid_parameter_3.value);
  EXPECT_EQ(set_protect(space_, base, 0x4000, page::readonly), status::conflicting_addresses.value);
  EXPECT_EQ(set_protect(space_, base, 0x1000, page::writecopy), status::invalid_parameter_4.value);
  EXPECT_EQ(release(base + 0x1000, 0x1000, mem::decommit), 0U);
  EXPECT_EQ(set_protect(space_, base, 0x2000, page::readonly), status::not_committed.value);
  EXPECT_EQ(protect_at(space_, base), page::readwrite);
  std::uint64_t at = base + 0x10;
  std::uint64_t size = 1;
  std::uint32_t old = 0;
  ASSERT_TRUE(space_.protect(at, size, page::execute_read, old).succeeded());
  EXPECT_EQ(at, base);
  EXPECT_EQ(size, 0x1000U);
  EXPECT_EQ(old, page::readwrite);
  EXPECT_EQ(poke(space_, base, 1), status::access_violation.value);
}

TEST_F(AddressSpaceTest, FaultsSayWhatWasDone) {
  const std::uint64_t base = commit(space_, 0x2000, page::readonly);
  const std::byte byte{1};
  PageFault fault;
  EXPECT_FALSE(space_.store(base + 5, {&byte, 1}, fault));
  EXPECT_EQ(fault, (PageFault{status::access_violation, 2, {1, base + 5, 0}}));
  ExecutablePage page;
  EXPECT_FALSE(space_.fetch(base + 5, page, fault));
  EXPECT_EQ(fault, (PageFault{status::access_violation, 2, {8, base + 5, 0}}));
  std::byte read{};
  EXPECT_FALSE(space_.load(0x10, {&read, 1}, fault));
  EXPECT_EQ(fault, (PageFault{status::access_violation, 2, {0, 0x10, 0}}));
  EXPECT_FALSE(space_.load(~0ull, {&read, 1}, fault));
  EXPECT_EQ(fault, (PageFault{status::access_violation, 2, {0, ~0ull, 0}}));
  // Across the last page: the address is that of the byte that fails.
  std::array<std::byte, 8> eight{};
  EXPECT_FALSE(space_.load(base + 0x1FFC, eight, fault));
  EXPECT_EQ(fault, (PageFault{status::access_violation, 2, {0, base + 0x2000, 0}}));
  world_.plan = FaultPlan::nth(FaultSite::pfn_alloc, 1);
  EXPECT_FALSE(space_.load(base, {&read, 1}, fault));
  EXPECT_EQ(fault, (PageFault{status::in_page_error, 3, {0, base, status::no_memory.value}}));
  EXPECT_TRUE(space_.load(base, {&read, 1}, fault));
}

TEST_F(AddressSpaceTest, StoresAcrossPagesAreAllOrNothing) {
  const std::uint64_t base = commit(space_, 0x2000);
  ASSERT_EQ(set_protect(space_, base + 0x1000, 0x1000, page::readonly), 0U);
  std::array<std::byte, 8> ones;
  ones.fill(std::byte{1});
  PageFault fault;
  EXPECT_FALSE(space_.store(base + 0xFFC, ones, fault));
  EXPECT_EQ(fault.parameters[1], base + 0x1000);
  EXPECT_EQ(peek(space_, base + 0xFFC), 0);
  ASSERT_EQ(set_protect(space_, base + 0x1000, 0x1000, page::readwrite), 0U);
  EXPECT_TRUE(space_.store(base + 0xFFC, ones, fault));
  std::array<std::byte, 8> back{};
  EXPECT_TRUE(space_.load(base + 0xFFC, back, fault));
  EXPECT_EQ(back, ones);
}

TEST_F(AddressSpaceTest, CopiesFromOutsideStopAtThePageThatFaults) {
  const std::uint64_t base = commit(space_, 0x3000);
  ASSERT_EQ(set_protect(space_, base + 0x2000, 0x1000, page::noaccess), 0U);
  std::vector<std::byte> bytes(0x2800, std::byte{3});
  std::size_t done = 0;
  EXPECT_EQ(space_.write(base + 0x10, bytes, done), status::partial_copy);
  EXPECT_EQ(done, 0x1FF0U);
  EXPECT_EQ(space_.read(base + 0x10, bytes, done), status::partial_copy);
  EXPECT_EQ(done, 0x1FF0U);
  EXPECT_EQ(bytes[0x1FEF], std::byte{3});
  EXPECT_EQ(space_.read(kUserEnd - 4, std::span(bytes).first(5), done), status::access_violation);
  EXPECT_EQ(space_.read(~0ull, std::span(bytes).first(5), done), status::access_violation);
  world_.plan = FaultPlan::nth(FaultSite::mem_read, 2);
  EXPECT_EQ(space_.read(base, std::span(bytes).first(0x2000), done), status::partial_copy);
  EXPECT_EQ(done, 0x1000U);
}

TEST_F(AddressSpaceTest, GuardFiresOnce) {
  const std::uint64_t base = commit(space_, 0x2000, page::readwrite | page::guard);
  EXPECT_EQ(protect_at(space_, base), page::readwrite | page::guard);
  EXPECT_EQ(poke(space_, base, 1), status::guard_page_violation.value);
  EXPECT_EQ(poke(space_, base, 1), 0U);
  EXPECT_EQ(protect_at(space_, base), page::readwrite);
  EXPECT_EQ(protect_at(space_, base + 0x1000), page::readwrite | page::guard);
  // Protection comes before the guard.
  ASSERT_EQ(set_protect(space_, base, 0x1000, page::readonly | page::guard), 0U);
  EXPECT_EQ(poke(space_, base, 1), status::access_violation.value);
  EXPECT_EQ(protect_at(space_, base), page::readonly | page::guard);
}

TEST_F(AddressSpaceTest, NoExecutionWithoutTheRight) {
  const std::uint64_t base = commit(space_, 0x1000, page::execute_readwrite);
  ExecutablePage page;
  PageFault fault;
  ASSERT_TRUE(space_.fetch(base, page, fault));
  const std::uint64_t version = page.version;
  ASSERT_TRUE(space_.fetch(base, page, fault));
  EXPECT_EQ(page.version, version);
  EXPECT_EQ(poke(space_, base + 9, 0x90), 0U);
  ASSERT_TRUE(space_.fetch(base, page, fault));
  EXPECT_NE(page.version, version);
  EXPECT_EQ(page.bytes[9], std::byte{0x90});
  ASSERT_EQ(set_protect(space_, base, 0x1000, page::execute), 0U);
  EXPECT_TRUE(space_.fetch(base, page, fault));
  EXPECT_EQ(peek(space_, base), -1);
}

struct Stack {
  std::uint64_t bottom, top, teb;
};

/// A stack of `pages`, committed `committed` from the top with a guard below.
Stack make_stack(AddressSpace& space, std::uint64_t pages, std::uint64_t committed) {
  Stack stack{};
  std::uint64_t size = pages * kNtPageSize;
  EXPECT_TRUE(space.allocate(stack.bottom, size, mem::reserve, page::readwrite).succeeded());
  stack.top = stack.bottom + size;
  std::uint64_t base = stack.top - (committed + 1) * kNtPageSize;
  size = (committed + 1) * kNtPageSize;
  EXPECT_TRUE(space.allocate(base, size, mem::commit, page::readwrite).succeeded());
  EXPECT_EQ(set_protect(space, base, kNtPageSize, page::readwrite | page::guard), 0U);
  EXPECT_TRUE(space.allocate_system(2, stack.teb).succeeded());
  const std::uint64_t limit = base + kNtPageSize;
  std::size_t done = 0;
  const auto put = [&](std::uint64_t offset, const std::uint64_t& value) {
    EXPECT_TRUE(
        space.write(stack.teb + offset, std::as_bytes(std::span(&value, 1)), done).succeeded());
  };
  put(0x08, stack.top);
  put(0x10, limit);
  put(0x1478, stack.bottom);
  return stack;
}

std::uint64_t stack_limit(AddressSpace& space, const Stack& stack) {
  std::uint64_t value = 0;
  std::size_t done = 0;
  EXPECT_TRUE(
      space.read(stack.teb + 0x10, std::as_writable_bytes(std::span(&value, 1)), done).succeeded());
  return value;
}

TEST_F(AddressSpaceTest, StackGrowsToItsReserveThenOverflows) {
  const Stack stack = make_stack(space_, 8, 1);
  std::uint64_t at = stack.top - 8;
  std::uint32_t raised = 0;
  std::uint64_t pushed = 0;
  while (raised == 0) {
    raised = poke(space_, at, 0x55, stack.teb);
    if (raised == 0) ++pushed;
    at -= kNtPageSize;
  }
  EXPECT_EQ(raised, status::stack_overflow.value);
  // Of eight pages the lowest is never touched; the one above it overflows, but is there now.
  EXPECT_EQ(pushed, 6U);
  EXPECT_EQ(stack_limit(space_, stack), stack.bottom + 0x1000);
  EXPECT_EQ(poke(space_, stack.bottom + 0x1FF8, 1, stack.teb), 0U);
  EXPECT_EQ(poke(space_, stack.bottom + 0xFF8, 1, stack.teb), status::access_violation.value);
  EXPECT_EQ(space_.commit_charge(), 7U + 2U);
}

TEST_F(AddressSpaceTest, ForeignStacksDoNotGrow) {
  const Stack stack = make_stack(space_, 8, 1);
  const Stack other = make_stack(space_, 8, 1);
  const std::uint64_t guard = stack.top - 2 * kNtPageSize;
  EXPECT_EQ(poke(space_, guard, 1, other.teb), status::guard_page_violation.value);
  EXPECT_EQ(state_at(space_, guard - kNtPageSize), mem::reserve);
  // From outside the same.
  std::size_t done = 0;
  const std::byte byte{1};
  EXPECT_EQ(space_.write(other.top - 2 * kNtPageSize, {&byte, 1}, done), status::partial_copy);
  EXPECT_EQ(state_at(space_, other.top - 3 * kNtPageSize), mem::reserve);
}

TEST_F(AddressSpaceTest, StackWithoutCommitOverflows) {
  const Stack stack = make_stack(space_, 8, 1);
  world_.memory.set_commit_limit(world_.memory.committed());
  EXPECT_EQ(poke(space_, stack.top - 2 * kNtPageSize, 1, stack.teb), status::stack_overflow.value);
}

TEST_F(AddressSpaceTest, HugeReservationsAreQueriedAtOnce) {
  std::uint64_t base = 0;
  std::uint64_t size = std::uint64_t{1} << 46;
  ASSERT_TRUE(space_.allocate(base, size, mem::reserve, page::readwrite).succeeded());
  EXPECT_EQ(allocate(base + (size / 2), 1, mem::commit), 0U);
  MemoryInformation information;
  ASSERT_TRUE(space_.query(base, information).succeeded());
  EXPECT_EQ(information.size, size / 2);
  EXPECT_EQ(information.state, mem::reserve);
  EXPECT_EQ(information.protect, 0U);
  EXPECT_EQ(set_protect(space_, base, size, page::readonly), status::not_committed.value);
  EXPECT_EQ(space_.query(kUserEnd, information), status::invalid_parameter);
  EXPECT_EQ(allocate(base, size, mem::commit), status::commitment_limit.value);
}

}  // namespace
}  // namespace doppel
