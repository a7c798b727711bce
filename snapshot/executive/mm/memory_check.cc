// SPDX-License-Identifier: Apache-2.0
//
// Everything is counted anew and compared with what is kept.
#include <map>

#include <snapshot/executive/mm/memory_check.h>

namespace doppel {
namespace {

/// I5, and the parts of I1 and I2 that one space can tell of itself.
std::string check_space(const AddressSpace& space) {
  std::uint64_t previous = 0;
  std::uint64_t charged = 0;
  for (const auto& [first, vad] : space.vads()) {
    const std::string where = "vad of page " + std::to_string(first);
    if (vad.first != first || vad.first >= vad.last) return where + " is not where it says";
    if (first < previous) return where + " overlaps the one before";
    if (first < kUserBegin / kNtPageSize || vad.last > kUserEnd / kNtPageSize)
      return where + " leaves the user's addresses";
    previous = vad.last;
    charged += vad.charge;
  }
  if (charged != space.commit_charge()) return "commit of a space differs from its vads";
  std::uint64_t present = 0;
  std::map<std::uint64_t, std::uint64_t> entries;  // of private VADs
  for (const auto& [page, pte] : space.ptes()) {
    const Vad* const vad = space.find(page * kNtPageSize);
    const std::string where = "entry of page " + std::to_string(page);
    if (vad == nullptr) return where + " lies in no vad";
    if (vad->kind == VadKind::private_memory) ++entries[vad->first];
    if (pte.shared && vad->kind == VadKind::private_memory) return where + " is shared of nothing";
    if (pte.frame != kNoFrame) ++present;
    if (!pte.shared || pte.frame == kNoFrame) continue;
    const std::uint64_t index = vad->section_page + (page - vad->first);
    if (vad->section->segment().present(index) != pte.frame)
      return where + " is another than its section's";
  }
  if (present != space.working_set()) return "working set of a space differs from its entries";
  for (const auto& [first, vad] : space.vads())
    if (vad.kind == VadKind::private_memory && vad.charge != entries[first])
      return "charge of private vad " + std::to_string(first) + " differs from its entries";
  return {};
}

}  // namespace

std::string check_memory(const PhysicalMemory& memory, const SectionFactory& sections,
                         std::span<const AddressSpace* const> spaces) {
  std::map<Frame, std::uint32_t> references;
  std::uint64_t commit = 0;
  for (const AddressSpace* const space : spaces) {
    std::string wrong = check_space(*space);
    if (!wrong.empty()) return wrong;
    commit += space->commit_charge();
    for (const auto& [page, pte] : space->ptes())
      if (pte.frame != kNoFrame) ++references[pte.frame];
  }
  for (const auto& segment : sections.alive()) {
    commit += segment->charge();
    for (const auto& [index, frame] : segment->pages()) ++references[frame];
  }
  for (const auto& [frame, count] : references)
    if (memory.references(frame) != count)
      return "frame " + std::to_string(frame) + " has " + std::to_string(memory.references(frame)) +
             " references, " + std::to_string(count) + " are known";
  if (references.size() != memory.in_use())
    return std::to_string(memory.in_use()) + " frames in use, " +
           std::to_string(references.size()) + " are known";
  if (commit != memory.committed())
    return std::to_string(memory.committed()) + " pages charged, " + std::to_string(commit) +
           " are known";
  return {};
}

}  // namespace doppel
