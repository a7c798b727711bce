// SPDX-License-Identifier: Apache-2.0
//
// An ELF core, laid out so that a file that was cut keeps what matters most:
//
//   ELF header | program headers | [section header: more than 65534 segments]     the index
//   PT_NOTE: threads and their registers, files, the manifest                     the facts
//   padding to a page
//   segments of priority 0: stacks, and what registers point at
//   segments of priority 1: shared memory
//   segments of priority 2: the rest
//
// Program headers are in address order, as everyone expects; only their p_offset follows the
// priorities. docs/formats/elf-core.md has the whole of it.
#ifndef DOPPEL_DUMPWRITER_ELF_CORE_FORMAT_H_
#define DOPPEL_DUMPWRITER_ELF_CORE_FORMAT_H_

#include <dumpwriter/plan/dump_format.h>

namespace doppel {

/// Stateless; safe from several threads.
class ElfCoreFormat final : public DumpFormat {
 public:
  std::string_view name() const override { return "elf"; }

  /// Errc::malformed when the image or the selection breaks its rules (check_image(); segments
  /// sorted, disjoint, whole pages, covered by their pieces). Errc::limit when a note reaches 4
  /// GiB.
  Result<DumpPlan> plan(const ProcessImage& image, const Selection& selection) const override;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_CORE_FORMAT_H_
