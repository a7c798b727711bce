// SPDX-License-Identifier: Apache-2.0
//
// The clone of an address space: isolation, costs, commit, what is shared and what is absent, and
// that a failure at any of its fault points leaves everything as it was.
#include "memory_world.h"
#include "pe_builder.h"

namespace doppel {
namespace {

class AddressSpaceCloneTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(world_.wrong(), "");
    world_.spaces.clear();
    EXPECT_EQ(world_.counters, Counters{});
  }

  FileNode program_{.name = "program.exe", .bytes = build_pe(usual_pe())};
  FileNode file_{.name = "data", .bytes = std::vector<std::byte>(0x1000, std::byte{1})};
  MemoryWorld world_;
  AddressSpace& parent_ = world_.add();
};

TEST_F(AddressSpaceCloneTest, T13CopyOnWriteIsolatesBothWays) {
  const std::uint64_t base = commit(parent_, 0x3000);
  ASSERT_EQ(poke(parent_, base, 1), 0U);
  ASSERT_EQ(poke(parent_, base + 0x1000, 2), 0U);
  AddressSpace& child = *world_.clone(parent_);
  EXPECT_EQ(poke(parent_, base, 11), 0U);
  EXPECT_EQ(poke(child, base + 0x1000, 22), 0U);
  EXPECT_EQ(poke(parent_, base + 0x2000, 33), 0U);
  EXPECT_EQ(peek(parent_, base), 11);
  EXPECT_EQ(peek(child, base), 1);
  EXPECT_EQ(peek(parent_, base + 0x1000), 2);
  EXPECT_EQ(peek(child, base + 0x1000), 22);
  EXPECT_EQ(peek(child, base + 0x2000), 0);
  // A clone of the clone, and the middle one gone.
  AddressSpace& grandchild = *world_.clone(child);
  EXPECT_EQ(poke(child, base, 44), 0U);
  world_.drop(&child);
  EXPECT_EQ(peek(grandchild, base), 1);
  EXPECT_EQ(peek(grandchild, base + 0x1000), 22);
  EXPECT_EQ(peek(parent_, base + 0x1000), 2);
}

TEST_F(AddressSpaceCloneTest, T14NoPageIsCopied) {
  constexpr int kPages = 64;
  const std::uint64_t base = commit(parent_, kPages * kNtPageSize);
  std::uint64_t peb = 0;
  ASSERT_TRUE(parent_.allocate_system(1, peb).succeeded());
  for (int i = 0; i < kPages; ++i)
    ASSERT_EQ(poke(parent_, base + static_cast<std::uint64_t>(i) * kNtPageSize, i), 0U);
  ASSERT_EQ(poke(parent_, peb + 1, 7), 0U);
  const std::uint64_t before = world_.memory.in_use();
  AddressSpace& child = *world_.clone(parent_, peb);
  EXPECT_EQ(world_.memory.in_use(), before + 1);
  EXPECT_EQ(world_.memory.copies(), 1U);
  EXPECT_EQ(peek(child, peb), 1);
  EXPECT_EQ(peek(child, peb + 1), 7);
  EXPECT_EQ(peek(parent_, peb), 0);
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(poke(parent_, base + static_cast<std::uint64_t>(i) * kNtPageSize, 100 + i), 0U);
  EXPECT_EQ(world_.memory.in_use(), before + 11);
  // Again into the same pages, and the other side's write into its now own pages.
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(poke(parent_, base + static_cast<std::uint64_t>(i) * kNtPageSize, 50 + i), 0U);
    ASSERT_EQ(poke(child, base + static_cast<std::uint64_t>(i) * kNtPageSize, 60 + i), 0U);
  }
  EXPECT_EQ(world_.memory.in_use(), before + 11);
  EXPECT_EQ(world_.memory.copies(), 11U);
}

TEST_F(AddressSpaceCloneTest, T15CommitIsCheckedBeforeAnything) {
  const std::uint64_t base = commit(parent_, 0x8000);
  ASSERT_EQ(poke(parent_, base, 1), 0U);
  world_.memory.set_commit_limit(world_.memory.committed() + 7);
  const Counters before = world_.counters;
  NtStatus done;
  EXPECT_EQ(world_.clone(parent_, 0, CloneMode::copy_on_write, &done), nullptr);
  EXPECT_EQ(done, status::commitment_limit);
  EXPECT_EQ(world_.counters, before);
  EXPECT_EQ(world_.wrong(), "");
  world_.memory.set_commit_limit(world_.memory.committed() + 8);
  AddressSpace* const child = world_.clone(parent_);
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->commit_charge(), 8U);
  EXPECT_EQ(world_.memory.committed(), 16U);
  world_.drop(child);
  EXPECT_EQ(world_.counters, before);
}

TEST_F(AddressSpaceCloneTest, T16WritesAfterACloneNeedNoCommit) {
  const ObjectRef<Section> image = world_.section(0, page::execute, sec::image, &program_);
  std::uint64_t mapped = 0;
  ASSERT_EQ(map_view(parent_, image, page::readonly, mapped), 0U);
  const std::uint64_t base = commit(parent_, 0x10000);
  for (std::uint64_t i = 0; i < 16; i += 2) ASSERT_EQ(poke(parent_, base + i * 0x1000, 1), 0U);
  AddressSpace& child = *world_.clone(parent_);
  world_.memory.set_commit_limit(world_.memory.committed());
  for (AddressSpace* space : {&parent_, &child}) {
    for (std::uint64_t i = 0; i < 16; ++i) EXPECT_EQ(poke(*space, base + i * 0x1000, 2), 0U);
    EXPECT_EQ(poke(*space, mapped + 0x4000, 2), 0U);
    EXPECT_EQ(poke(*space, mapped + 0x5000, 2), 0U);
  }
  world_.drop(&child);
}

TEST_F(AddressSpaceCloneTest, T17ViewShareAndViewUnmap) {
  const ObjectRef<Section> pagefile = world_.section(0x2000, page::readwrite, sec::commit);
  const ObjectRef<Section> file = world_.section(0, page::readwrite, sec::commit, &file_);
  std::uint64_t shared = 0;
  std::uint64_t mapped = 0;
  std::uint64_t unmapped = 0;
  ASSERT_EQ(map_view(parent_, pagefile, page::readwrite, shared), 0U);
  ASSERT_EQ(map_view(parent_, file, page::readwrite, mapped), 0U);
  ASSERT_EQ(map_view(parent_, pagefile, page::writecopy, unmapped, ViewInherit::unmap), 0U);
  AddressSpace& child = *world_.clone(parent_);
  EXPECT_EQ(child.commit_charge(), 0U);
  EXPECT_EQ(poke(parent_, shared, 5), 0U);
  EXPECT_EQ(peek(child, shared), 5);
  EXPECT_EQ(poke(child, shared + 0x1000, 6), 0U);
  EXPECT_EQ(peek(parent_, shared + 0x1000), 6);
  EXPECT_EQ(poke(child, mapped, 7), 0U);
  EXPECT_EQ(peek(parent_, mapped), 7);
  EXPECT_EQ(file_.use.writable_views, 2U);
  EXPECT_EQ(state_at(child, unmapped), mem::free);
  std::byte byte{};
  std::size_t done = 0;
  EXPECT_EQ(child.read(unmapped, {&byte, 1}, done), status::partial_copy);
  EXPECT_EQ(state_at(parent_, unmapped), mem::commit);
  EXPECT_EQ(world_.wrong(), "");
  // The clone goes on holding what the original gives up (executive.md 8.4).
  EXPECT_TRUE(parent_.unmap(mapped).succeeded());
  EXPECT_TRUE(file_.use.views_beyond(0));
  world_.drop(&child);
  EXPECT_FALSE(file_.use.views_beyond(0));
}

TEST_F(AddressSpaceCloneTest, T18GuardsAreIndependent) {
  const std::uint64_t base = commit(parent_, 0x2000, page::readwrite | page::guard);
  AddressSpace& child = *world_.clone(parent_);
  // The reading rule: in the clone the guard is taken off, the original is never touched.
  EXPECT_EQ(set_protect(child, base, 0x2000, page::readonly), 0U);
  EXPECT_EQ(peek(child, base), 0);
  EXPECT_EQ(protect_at(parent_, base), page::readwrite | page::guard);
  std::uint32_t raised = 0;
  EXPECT_EQ(peek(parent_, base, &raised), -1);
  EXPECT_EQ(raised, status::guard_page_violation.value);
  EXPECT_EQ(peek(parent_, base), 0);
}

TEST_F(AddressSpaceCloneTest, T19QueriesHideCopyOnWrite) {
  const ObjectRef<Section> image = world_.section(0, page::execute, sec::image, &program_);
  std::uint64_t mapped = 0;
  ASSERT_EQ(map_view(parent_, image, page::readonly, mapped), 0U);
  const std::uint64_t base = commit(parent_, 0x2000);
  ASSERT_EQ(poke(parent_, base, 1), 0U);
  ASSERT_EQ(poke(parent_, mapped + 0x4000, 1), 0U);
  AddressSpace& child = *world_.clone(parent_);
  for (const AddressSpace* space : {&parent_, &child}) {
    EXPECT_EQ(protect_at(*space, base), page::readwrite);
    EXPECT_EQ(protect_at(*space, mapped + 0x4000), page::readwrite);
    EXPECT_EQ(protect_at(*space, mapped + 0x5000), page::writecopy);
    WorkingSetInformation block;
    ASSERT_TRUE(space->query(base, block).succeeded());
    EXPECT_EQ(
        block,
        (WorkingSetInformation{
            .valid = true, .share_count = 2, .win32_protect = page::readwrite, .shared = false}));
    ASSERT_TRUE(space->query(base + 0x1000, block).succeeded());
    EXPECT_FALSE(block.valid);
  }
  world_.drop(&child);
}

TEST_F(AddressSpaceCloneTest, T46AnyFaultPointLeavesNothingBehind) {
  const ObjectRef<Section> image = world_.section(0, page::execute, sec::image, &program_);
  std::uint64_t mapped = 0;
  std::uint64_t peb = 0;
  ASSERT_EQ(map_view(parent_, image, page::readonly, mapped), 0U);
  ASSERT_TRUE(parent_.allocate_system(1, peb).succeeded());
  const std::uint64_t base = commit(parent_, 0x8000);
  for (std::uint64_t i = 0; i < 5; ++i) ASSERT_EQ(poke(parent_, base + i * 0x1000, 3), 0U);
  ASSERT_EQ(poke(parent_, mapped + 0x4000, 1), 0U);
  const Counters before = world_.counters;
  const SectionUse use = program_.use;
  for (const CloneMode mode : {CloneMode::copy_on_write, CloneMode::deep_copy}) {
    std::uint64_t k = 1;
    for (;; ++k) {
      world_.plan = FaultPlan::nth_of_all(k);
      NtStatus done;
      AddressSpace* const child = world_.clone(parent_, peb, mode, &done);
      EXPECT_EQ(child == nullptr, world_.plan.failed() != 0) << k;
      if (child != nullptr) {
        EXPECT_EQ(child->working_set(), parent_.working_set() + 1);
        world_.drop(child);
        break;
      }
      EXPECT_TRUE(done == status::no_memory || done == status::commitment_limit) << k;
      EXPECT_EQ(world_.counters, before) << k;
      EXPECT_EQ(program_.use.image_views, use.image_views) << k;
      EXPECT_EQ(world_.wrong(), "") << k;
    }
    // VADs, entries, the charge, and the page of the PEB at least.
    EXPECT_GT(k, 3U + 10U + 1U + 1U);
    EXPECT_EQ(world_.counters, before);
  }
  world_.plan = {};
}

TEST_F(AddressSpaceCloneTest, CostGrowsWithEntriesNotWithAddresses) {
  std::uint64_t base = 0;
  std::uint64_t size = std::uint64_t{1} << 45;
  ASSERT_TRUE(parent_.allocate(base, size, mem::reserve, page::readwrite).succeeded());
  std::uint64_t at = base + (size / 2);
  size = 0x64000;
  ASSERT_TRUE(parent_.allocate(at, size, mem::commit, page::readwrite).succeeded());
  world_.plan = {};
  AddressSpace& child = *world_.clone(parent_);
  EXPECT_EQ(world_.plan.asked(FaultSite::clone_vad), 1U);
  EXPECT_EQ(world_.plan.asked(FaultSite::clone_pte), 100U);
  EXPECT_EQ(world_.plan.asked(FaultSite::pfn_alloc), 0U);
  EXPECT_EQ(child.vads().size(), 1U);
  EXPECT_EQ(child.ptes().size(), 100U);
}

}  // namespace
}  // namespace doppel
