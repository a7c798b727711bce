// SPDX-License-Identifier: Apache-2.0
//
// Sections and their views: the checks of NtCreateSection and NtMapViewOfSection in order, what is
// charged, coherence with the file, write-copy, images at and away from their base.
#include "memory_world.h"
#include "pe_builder.h"

namespace doppel {
namespace {

class SectionTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(world_.wrong(), "");
    world_.spaces.clear();
    EXPECT_EQ(world_.counters, Counters{});
    for (const FileNode* node : {&file_, &program_}) {
      EXPECT_EQ(node->use.image, 0U);
      EXPECT_EQ(node->use.image_views, 0U);
      EXPECT_EQ(node->use.writable_views, 0U);
      EXPECT_FALSE(node->use.any_data_view());
    }
  }

  std::uint32_t create(std::uint64_t size, std::uint32_t protect, std::uint32_t attributes,
                       FileNode* node) {
    ObjectRef<Section> made;
    return world_.sections
        .create({.size = size, .protect = protect, .attributes = attributes, .node = node}, made)
        .value;
  }

  FileNode file_{.name = "data", .bytes = std::vector<std::byte>(0x2800, std::byte{5})};
  FileNode program_{.name = "program.exe", .bytes = build_pe(usual_pe())};
  MemoryWorld world_;
  AddressSpace& space_ = world_.add();
};

TEST_F(SectionTest, CreateChecksInOrder) {
  const auto check = [](std::uint64_t size, std::uint32_t protect, std::uint32_t attributes,
                        bool file) {
    return SectionFactory::check(size, protect, attributes, file).value;
  };
  EXPECT_EQ(check(0, 0, 0, false), status::invalid_parameter_6.value);
  EXPECT_EQ(check(0, 0, sec::commit | sec::reserve, false), status::invalid_parameter_6.value);
  EXPECT_EQ(check(0, 0, sec::image | sec::commit, false), status::invalid_parameter_6.value);
  EXPECT_EQ(check(0, 0, sec::commit | 1, false), status::invalid_parameter_6.value);
  EXPECT_EQ(check(0, page::noaccess, sec::commit, false), status::invalid_page_protection.value);
  EXPECT_EQ(check(0, page::readonly | page::guard, sec::commit, false),
            status::invalid_page_protection.value);
  EXPECT_EQ(check(0, page::readonly, sec::commit, false), status::invalid_parameter_4.value);
  EXPECT_EQ(check(0, page::readonly, sec::commit, true), 0U);

  FileNode folder{.directory = true};
  FileNode empty;
  EXPECT_EQ(create(0, page::readonly, sec::commit, &folder),
            status::invalid_file_for_section.value);
  EXPECT_EQ(create(1, page::readonly, sec::image, nullptr), status::invalid_file_for_section.value);
  EXPECT_EQ(create(0, page::readonly, sec::commit, &empty), status::mapped_file_size_zero.value);
  EXPECT_EQ(create(0x2801, page::readonly, sec::commit, &file_), status::section_too_big.value);
  EXPECT_EQ(create(std::uint64_t{1} << 40, page::readwrite, sec::commit, &file_),
            status::disk_full.value);
  EXPECT_EQ(create(~0ull, page::readwrite, sec::commit, &file_), status::section_too_big.value);
  EXPECT_EQ(create(~0ull, page::readwrite, sec::commit, nullptr), status::section_too_big.value);
  EXPECT_EQ(create(std::uint64_t{1} << 40, page::readwrite, sec::commit, nullptr),
            status::commitment_limit.value);
  EXPECT_EQ(create(0, page::execute, sec::image, &file_), status::invalid_image_not_mz.value);
  EXPECT_EQ(create(0, page::execute, sec::image, &empty), status::invalid_image_not_mz.value);
  EXPECT_EQ(file_.bytes.size(), 0x2800U);
  EXPECT_EQ(world_.counters, Counters{});
}

TEST_F(SectionTest, WritableSectionExtendsItsFile) {
  EXPECT_EQ(create(0x5000, page::readwrite, sec::commit, &file_), 0U);
  EXPECT_EQ(file_.bytes.size(), 0x5000U);
}

TEST_F(SectionTest, MapChecksInOrder) {
  const ObjectRef<Section> section = world_.section(0, page::readonly, sec::commit, &file_);
  const auto map = [&](MapRequest request) { return space_.map(section, request).value; };
  EXPECT_EQ(map({.base = kUserEnd, .type = mem::commit, .protect = 0}),
            status::invalid_parameter_9.value);
  EXPECT_EQ(map({.base = kUserEnd, .protect = 0}), status::invalid_page_protection.value);
  EXPECT_EQ(map({.base = kUserEnd}), status::invalid_parameter_3.value);
  EXPECT_EQ(map({.base = kUserBegin, .size = ~0ull}), status::invalid_parameter_3.value);
  EXPECT_EQ(map({.base = 0x11000, .protect = page::readwrite}), status::mapped_alignment.value);
  EXPECT_EQ(map({.offset = 0x1000, .protect = page::readwrite}), status::mapped_alignment.value);
  EXPECT_EQ(map({.protect = page::readwrite}), status::section_protection.value);
  EXPECT_EQ(map({.protect = page::execute_read}), status::section_protection.value);
  EXPECT_EQ(map({.offset = 0x10000}), status::invalid_view_size.value);
  EXPECT_EQ(map({.size = 0x2801}), status::invalid_view_size.value);
  EXPECT_EQ(map({.base = 0x20000}), 0U);
  EXPECT_EQ(map({.base = 0x20000}), status::conflicting_addresses.value);
  EXPECT_EQ(map({.protect = page::writecopy}), 0U);
  world_.memory.set_commit_limit(world_.memory.committed() + 2);
  EXPECT_EQ(map({.protect = page::writecopy}), status::commitment_limit.value);
  EXPECT_EQ(map({.protect = page::readonly}), 0U);
  EXPECT_EQ(space_.commit_charge(), 3U);
}

TEST_F(SectionTest, ViewsAndFileAreOneStore) {
  const ObjectRef<Section> section = world_.section(0, page::readwrite, sec::commit, &file_);
  AddressSpace& other = world_.add();
  std::uint64_t here = 0;
  std::uint64_t there = 0;
  ASSERT_EQ(map_view(space_, section, page::readwrite, here), 0U);
  ASSERT_EQ(map_view(other, section, page::readonly, there), 0U);
  EXPECT_EQ(peek(other, there + 0x2700), 5);
  EXPECT_EQ(peek(other, there + 0x2900), 0);
  EXPECT_EQ(poke(space_, here + 0x1000, 77), 0U);
  EXPECT_EQ(peek(other, there + 0x1000), 77);
  EXPECT_EQ(file_.bytes[0x1000], std::byte{77});
  file_.bytes[0x1001] = std::byte{78};
  EXPECT_EQ(peek(space_, here + 0x1001), 78);
  EXPECT_EQ(peek(other, there + 0x1001), 78);
  EXPECT_EQ(poke(other, there, 1), status::access_violation.value);
  EXPECT_EQ(file_.use.writable_views, 1U);
  EXPECT_TRUE(file_.use.views_beyond(0x27FF));
  EXPECT_FALSE(file_.use.views_beyond(0x2800));
  EXPECT_EQ(world_.memory.committed(), 0U);
  // Another section of the file shares the segment.
  const ObjectRef<Section> second = world_.section(0, page::readonly, sec::commit, &file_);
  EXPECT_EQ(&second->segment(), &section->segment());
  EXPECT_EQ(section->pointer_count(), 3U);
}

TEST_F(SectionTest, ProtectingAReadOnlyViewWritableCountsIt) {
  const ObjectRef<Section> section = world_.section(0, page::readwrite, sec::commit, &file_);
  std::uint64_t base = 0;
  ASSERT_EQ(map_view(space_, section, page::readonly, base), 0U);
  EXPECT_EQ(file_.use.writable_views, 0U);
  EXPECT_EQ(set_protect(space_, base, 0x1000, page::readwrite), 0U);
  EXPECT_EQ(file_.use.writable_views, 1U);
  EXPECT_EQ(set_protect(space_, base, 0x1000, page::execute_read),
            status::section_protection.value);
}

TEST_F(SectionTest, WriteCopyIsBrokenPageByPage) {
  const ObjectRef<Section> section = world_.section(0, page::readonly, sec::commit, &file_);
  std::uint64_t base = 0;
  ASSERT_EQ(map_view(space_, section, page::writecopy, base), 0U);
  EXPECT_EQ(space_.commit_charge(), 3U);
  EXPECT_EQ(poke(space_, base + 0x1000, 9), 0U);
  EXPECT_EQ(file_.bytes[0x1000], std::byte{5});
  EXPECT_EQ(peek(space_, base + 0x1000), 9);
  EXPECT_EQ(peek(space_, base + 0x1001), 5);
  EXPECT_EQ(protect_at(space_, base), page::writecopy);
  EXPECT_EQ(protect_at(space_, base + 0x1000), page::readwrite);
  // The file's later changes reach only pages that are not broken.
  file_.bytes[0x1002] = std::byte{6};
  file_.bytes[0x2] = std::byte{6};
  EXPECT_EQ(peek(space_, base + 0x1002), 5);
  EXPECT_EQ(peek(space_, base + 2), 6);
  EXPECT_EQ(space_.commit_charge(), 3U);
  // READWRITE on an unbroken page is stored as write-copy.
  EXPECT_EQ(set_protect(space_, base, 0x2000, page::readonly), 0U);
  EXPECT_EQ(set_protect(space_, base, 0x2000, page::readwrite), 0U);
  EXPECT_EQ(protect_at(space_, base), page::writecopy);
  EXPECT_EQ(protect_at(space_, base + 0x1000), page::readwrite);
  EXPECT_EQ(space_.commit_charge(), 3U);
}

TEST_F(SectionTest, AFailedPageReadIsTheThreads) {
  const ObjectRef<Section> section = world_.section(0, page::readonly, sec::commit, &file_);
  std::uint64_t base = 0;
  ASSERT_EQ(map_view(space_, section, page::readonly, base), 0U);
  world_.plan = FaultPlan::nth(FaultSite::file_read, 1);
  std::byte byte{};
  PageFault fault;
  EXPECT_FALSE(space_.load(base, {&byte, 1}, fault));
  EXPECT_EQ(fault, (PageFault{status::in_page_error, 3, {0, base, status::in_page_error.value}}));
  EXPECT_EQ(peek(space_, base), 5);
}

TEST_F(SectionTest, PagefileSectionsAreChargedToTheSection) {
  ObjectRef<Section> committed = world_.section(0x4000, page::readwrite, sec::commit);
  EXPECT_EQ(world_.memory.committed(), 4U);
  std::uint64_t base = 0;
  ASSERT_EQ(map_view(space_, committed, page::readwrite, base), 0U);
  EXPECT_EQ(space_.commit_charge(), 0U);
  EXPECT_EQ(poke(space_, base + 0x3000, 4), 0U);
  // The view keeps the section, and with it the charge and the page.
  committed = {};
  EXPECT_EQ(world_.memory.committed(), 4U);
  EXPECT_EQ(peek(space_, base + 0x3000), 4);
  EXPECT_EQ(space_.unmap(base + 0x3000).value, 0U);
  EXPECT_EQ(world_.memory.committed(), 0U);
  EXPECT_EQ(world_.counters.objects, 0U);
}

TEST_F(SectionTest, ReservedSectionsAreCommittedThroughViews) {
  const std::uint64_t wide = std::uint64_t{1} << 45;
  const ObjectRef<Section> section = world_.section(wide, page::readwrite, sec::reserve);
  EXPECT_EQ(world_.memory.committed(), 0U);
  MapRequest request{.commit_size = 0x2000, .protect = page::readwrite};
  ASSERT_EQ(space_.map(section, request).value, 0U);
  EXPECT_EQ(world_.memory.committed(), 2U);
  EXPECT_EQ(poke(space_, request.base + 0x1FFF, 3), 0U);
  EXPECT_EQ(poke(space_, request.base + 0x2000, 3), status::access_violation.value);
  MemoryInformation information;
  ASSERT_TRUE(space_.query(request.base + 0x2000, information).succeeded());
  EXPECT_EQ(information.state, mem::reserve);
  EXPECT_EQ(information.protect, 0U);
  EXPECT_EQ(information.size, wide - 0x2000);
  std::uint64_t at = request.base + (wide / 2);
  std::uint64_t size = 0x1000;
  EXPECT_EQ(space_.allocate(at, size, mem::commit, page::readwrite).value, 0U);
  EXPECT_EQ(space_.allocate(at, size, mem::commit, page::readwrite).value, 0U);
  EXPECT_EQ(world_.memory.committed(), 3U);
  EXPECT_EQ(poke(space_, at, 3), 0U);
  EXPECT_EQ(space_.allocate(at, size, mem::commit, page::execute_read).value,
            status::section_protection.value);
  EXPECT_EQ(set_protect(space_, request.base, 0x3000, page::readonly), status::not_committed.value);
  // Another view of it sees the same pages.
  AddressSpace& other = world_.add();
  MapRequest again{.offset = wide / 2, .size = 0x10000, .protect = page::readonly};
  ASSERT_EQ(other.map(section, again).value, 0U);
  EXPECT_EQ(peek(other, again.base), 3);
  EXPECT_EQ(state_at(other, again.base + 0x1000), mem::reserve);
}

TEST_F(SectionTest, ImagesLieAtTheirBase) {
  const ObjectRef<Section> section = world_.section(0, page::execute, sec::image, &program_);
  std::uint64_t base = 0;
  ASSERT_EQ(map_view(space_, section, page::readonly, base), 0U);
  EXPECT_EQ(base, 0x140000000U);
  EXPECT_EQ(program_.use.image, 2U);
  EXPECT_EQ(program_.use.image_views, 1U);
  EXPECT_EQ(space_.commit_charge(), 2U);  // .data
  EXPECT_EQ(peek(space_, base), 'M');
  EXPECT_EQ(peek(space_, base + 0x27FF), 0xCC);
  EXPECT_EQ(poke(space_, base + 0x1000, 1), status::access_violation.value);
  EXPECT_EQ(poke(space_, base + 0x4008, 1), 0U);
  EXPECT_EQ(protect_at(space_, base + 0x4000), page::readwrite);
  EXPECT_EQ(protect_at(space_, base + 0x5000), page::writecopy);
  MemoryInformation information;
  ASSERT_TRUE(space_.query(base + 0x1000, information).succeeded());
  EXPECT_EQ(information, (MemoryInformation{.base = base + 0x1000,
                                            .allocation_base = base,
                                            .allocation_protect = page::execute_writecopy,
                                            .size = 0x2000,
                                            .state = mem::commit,
                                            .protect = page::execute_read,
                                            .type = mem::image}));
  const FileNode* node = nullptr;
  EXPECT_EQ(space_.query(base, node).value, 0U);
  EXPECT_EQ(node, &program_);

  AddressSpace& other = world_.add();
  std::uint64_t there = 0;
  ASSERT_EQ(map_view(other, section, page::readonly, there), 0U);
  EXPECT_EQ(peek(other, there + 0x4008), 0x22);
  // A shared section of an image is one store.
  EXPECT_EQ(poke(space_, base + 0x6000, 0x42), 0U);
  EXPECT_EQ(peek(other, there + 0x6000), 0x42);
  EXPECT_EQ(protect_at(other, there + 0x6000), page::readwrite);
  EXPECT_NE(program_.bytes, std::vector<std::byte>{});
  EXPECT_EQ(program_.bytes, build_pe(usual_pe()));
}

TEST_F(SectionTest, ImagesElsewhereAreRelocated) {
  const ObjectRef<Section> section = world_.section(0, page::execute, sec::image, &program_);
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  ASSERT_EQ(map_view(space_, section, page::readonly, first), 0U);
  ASSERT_EQ(map_view(space_, section, page::readonly, second), status::image_not_at_base.value);
  EXPECT_EQ(second, kUserBegin);
  std::uint64_t self = 0;
  std::size_t done = 0;
  ASSERT_TRUE(
      space_.read(second + 0x4000, std::as_writable_bytes(std::span(&self, 1)), done).succeeded());
  EXPECT_EQ(self, second + 0x4000);
  ASSERT_TRUE(
      space_.read(first + 0x4000, std::as_writable_bytes(std::span(&self, 1)), done).succeeded());
  EXPECT_EQ(self, first + 0x4000);
  EXPECT_EQ(protect_at(space_, second + 0x4000), page::writecopy);
  EXPECT_EQ(poke(space_, second + 0x4000, 1), 0U);
  EXPECT_EQ(protect_at(space_, second + 0x4000), page::readwrite);
  std::uint64_t third = 0x7000000;
  ASSERT_EQ(map_view(space_, section, page::readonly, third), status::image_not_at_base.value);

  PeSpec fixed = usual_pe();
  fixed.fixups.clear();
  FileNode node{.bytes = build_pe(fixed)};
  {
    const ObjectRef<Section> stays = world_.section(0, page::execute, sec::image, &node);
    std::uint64_t base = 0;
    EXPECT_EQ(map_view(space_, stays, page::readonly, base), status::conflicting_addresses.value);
    base = 0x8000000;
    EXPECT_EQ(map_view(space_, stays, page::readonly, base), status::conflicting_addresses.value);
  }
  EXPECT_EQ(node.use.image, 0U);
}

TEST_F(SectionTest, ImagePagesMadeWritableAreChargedAndCopied) {
  const ObjectRef<Section> section = world_.section(0, page::execute, sec::image, &program_);
  std::uint64_t base = 0;
  ASSERT_EQ(map_view(space_, section, page::readonly, base), 0U);
  EXPECT_EQ(set_protect(space_, base + 0x1000, 0x1000, page::execute_readwrite), 0U);
  EXPECT_EQ(protect_at(space_, base + 0x1000), page::execute_writecopy);
  EXPECT_EQ(space_.commit_charge(), 3U);
  EXPECT_EQ(set_protect(space_, base + 0x1000, 0x1000, page::execute_read), 0U);
  EXPECT_EQ(set_protect(space_, base + 0x1000, 0x1000, page::execute_readwrite), 0U);
  EXPECT_EQ(space_.commit_charge(), 3U);
  EXPECT_EQ(poke(space_, base + 0x1000, 0x90), 0U);
  EXPECT_EQ(protect_at(space_, base + 0x1000), page::execute_readwrite);
  EXPECT_EQ(world_.memory.copies(), 1U);
  world_.memory.set_commit_limit(world_.memory.committed());
  EXPECT_EQ(set_protect(space_, base + 0x2000, 0x1000, page::readwrite),
            status::commitment_limit.value);
  EXPECT_EQ(protect_at(space_, base + 0x2000), page::execute_read);
  std::uint64_t at = base;
  std::uint64_t size = 0x1000;
  EXPECT_EQ(space_.allocate(at, size, mem::commit, page::readwrite).value,
            status::already_committed.value);
}

TEST_F(SectionTest, CreationRollsBack) {
  for (std::uint64_t k = 1;; ++k) {
    world_.plan = FaultPlan::nth_of_all(k);
    std::uint32_t done = 0;
    {
      ObjectRef<Section> made;
      done =
          world_.sections
              .create({.protect = page::execute, .attributes = sec::image, .node = &program_}, made)
              .value;
      if (done == 0) {
        std::uint64_t base = 0;
        done = map_view(space_, made, page::readonly, base);
        if (done == 0) {
          EXPECT_TRUE(space_.unmap(base).succeeded());
        }
      }
    }
    EXPECT_EQ(world_.counters, Counters{});
    EXPECT_EQ(program_.use.image, 0U);
    if (world_.plan.failed() == 0) {
      EXPECT_EQ(done, 0U);
      EXPECT_GE(k, 4U);
      break;
    }
    EXPECT_NE(done, 0U) << k;
  }
}

}  // namespace
}  // namespace doppel
