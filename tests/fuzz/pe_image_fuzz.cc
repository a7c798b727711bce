// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a program of the executive: parsed, made a section, mapped at its base and beside
// it, read, executed and written page by page, cloned, and gone without a trace.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/mm/memory_check.h>

namespace doppel {
namespace {

/// Not assert(): it must also look in builds without.
void require(bool holds) {
  if (!holds) std::abort();
}

void look(AddressSpace& space, std::uint64_t base, std::uint64_t size) {
  // Every page of small images; of others as many, spread.
  const std::uint64_t pages = size / kNtPageSize;
  const std::uint64_t step = std::max<std::uint64_t>(1, pages / 64);
  const std::byte byte{0x5A};
  for (std::uint64_t page = 0; page < pages; page += step) {
    const std::uint64_t at = base + page * kNtPageSize;
    std::array<std::byte, 16> bytes;
    ExecutablePage code;
    PageFault fault;
    (void)space.load(at + 0xFF8, bytes, fault);
    (void)space.fetch(at, code, fault);
    (void)space.store(at, {&byte, 1}, fault);
    MemoryInformation information;
    require(space.query(at, information).succeeded());
  }
}

void run(FileNode& node) {
  FaultPlan plan;
  Counters counters;
  PhysicalMemory memory(2048, 1 << 20, plan, counters);
  SectionFactory sections(memory, counters);
  {
    ObjectRef<Section> section;
    const NtStatus made = sections.create(
        {.protect = page::execute, .attributes = sec::image, .node = &node}, section);
    if (!made.succeeded()) {
      require(made == status::invalid_image_format || made == status::invalid_image_not_mz);
      require(counters == Counters{});
      return;
    }
    AddressSpace space(memory);
    for (int i = 0; i < 2; ++i) {
      MapRequest request{.inherit = ViewInherit::share, .protect = page::readonly};
      if (space.map(section, request).succeeded()) look(space, request.base, request.size);
    }
    std::unique_ptr<AddressSpace> child;
    if (space.clone(0, child).succeeded())
      for (const auto& [first, vad] : child->vads())
        look(*child, first * kNtPageSize, (vad.last - vad.first) * kNtPageSize);
    const std::array<const AddressSpace*, 2> spaces = {&space, child.get()};
    require(check_memory(memory, sections, std::span(spaces).first(child ? 2 : 1)).empty());
  }
  require(counters == Counters{});
  require(node.use.image == 0);
}

}  // namespace
}  // namespace doppel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  doppel::FileNode node;
  node.bytes.assign(bytes, bytes + size);
  doppel::run(node);
  return 0;
}
