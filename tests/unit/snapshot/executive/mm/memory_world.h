// SPDX-License-Identifier: Apache-2.0
//
// Memory without the rest of the executive: pages, sections and some address spaces, with the
// invariants looked at on demand. Shared by the tests of this folder.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_MM_MEMORY_WORLD_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_MM_MEMORY_WORLD_H_

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/mm/memory_check.h>

namespace doppel {

struct MemoryWorld {
  explicit MemoryWorld(std::uint64_t commit_limit = 4096)
      : memory(8192, commit_limit, plan, counters), sections(memory, counters) {}

  AddressSpace& add() {
    spaces.push_back(std::make_unique<AddressSpace>(memory));
    return *spaces.back();
  }

  /// A clone that this world owns; null and `why` on failure.
  AddressSpace* clone(AddressSpace& of, std::uint64_t peb = 0,
                      CloneMode mode = CloneMode::copy_on_write, NtStatus* why = nullptr) {
    std::unique_ptr<AddressSpace> child;
    const NtStatus done = of.clone(peb, child, mode);
    if (why != nullptr) *why = done;
    if (!child) return nullptr;
    spaces.push_back(std::move(child));
    return spaces.back().get();
  }

  void drop(AddressSpace* space) {
    std::erase_if(spaces, [space](const auto& each) { return each.get() == space; });
  }

  std::string wrong() const {
    std::vector<const AddressSpace*> all;
    for (const auto& space : spaces) all.push_back(space.get());
    return check_memory(memory, sections, all);
  }

  ObjectRef<Section> section(std::uint64_t size, std::uint32_t protect, std::uint32_t attributes,
                             FileNode* node = nullptr) {
    ObjectRef<Section> made;
    const NtStatus done = sections.create(
        {.size = size, .protect = protect, .attributes = attributes, .node = node}, made);
    EXPECT_EQ(done.value, 0U);
    return made;
  }

  FaultPlan plan;
  Counters counters;
  PhysicalMemory memory;
  SectionFactory sections;
  std::vector<std::unique_ptr<AddressSpace>> spaces;
};

inline std::uint64_t commit(AddressSpace& space, std::uint64_t bytes,
                            std::uint32_t protect = page::readwrite) {
  std::uint64_t base = 0;
  const NtStatus done = space.allocate(base, bytes, mem::reserve | mem::commit, protect);
  EXPECT_EQ(done.value, 0U);
  return base;
}

/// The status of a store of one byte, SUCCESS or what it raises.
inline std::uint32_t poke(AddressSpace& space, std::uint64_t address, int value,
                          std::uint64_t teb = 0) {
  const std::byte byte{static_cast<unsigned char>(value)};
  PageFault fault;
  return space.store(address, {&byte, 1}, fault, teb) ? 0 : fault.status.value;
}

/// The byte, or minus one with the status in `raised`.
inline int peek(AddressSpace& space, std::uint64_t address, std::uint32_t* raised = nullptr) {
  std::byte byte{};
  PageFault fault;
  const bool done = space.load(address, {&byte, 1}, fault);
  if (raised != nullptr) *raised = fault.status.value;
  return done ? std::to_integer<int>(byte) : -1;
}

inline std::uint32_t protect_at(const AddressSpace& space, std::uint64_t address) {
  MemoryInformation information;
  EXPECT_EQ(space.query(address, information).value, 0U);
  return information.protect;
}

inline std::uint32_t state_at(const AddressSpace& space, std::uint64_t address) {
  MemoryInformation information;
  EXPECT_EQ(space.query(address, information).value, 0U);
  return information.state;
}

inline std::uint32_t set_protect(AddressSpace& space, std::uint64_t base, std::uint64_t size,
                                 std::uint32_t protect) {
  std::uint32_t old = 0;
  return space.protect(base, size, protect, old).value;
}

inline std::uint32_t map_view(AddressSpace& space, const ObjectRef<Section>& section,
                              std::uint32_t protect, std::uint64_t& base,
                              ViewInherit inherit = ViewInherit::share) {
  MapRequest request{.base = base, .inherit = inherit, .protect = protect};
  const NtStatus done = space.map(section, request);
  base = request.base;
  return done.value;
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_MM_MEMORY_WORLD_H_
