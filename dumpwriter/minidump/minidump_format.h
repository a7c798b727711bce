// SPDX-License-Identifier: Apache-2.0
//
// A minidump, laid out so that a file that was cut keeps what matters most:
//
//   header | directory                                 32 bytes, 12 for each stream
//   streams, strings, contexts                         the facts; all below 1 GiB
//   padding to a page
//   memory of priority 0: stacks, and what registers point at      MemoryList points here too
//   memory of priority 1 and 2                         Memory64List alone reaches all of it
//
// Of an NT process memory is in the order of addresses while an RVA reaches all of it, as NT's own
// tools write it. docs/formats/minidump.md has the whole of it.
#ifndef DOPPEL_DUMPWRITER_MINIDUMP_MINIDUMP_FORMAT_H_
#define DOPPEL_DUMPWRITER_MINIDUMP_MINIDUMP_FORMAT_H_

#include <dumpwriter/plan/dump_format.h>

namespace doppel {

/// Stateless; safe from several threads.
class MinidumpFormat final : public DumpFormat {
 public:
  std::string_view name() const override { return "minidump"; }

  /// Errc::malformed when the image or the selection breaks its rules (check_image(),
  /// check_selection()). Errc::limit when the facts would take more than 1 GiB.
  Result<DumpPlan> plan(const ProcessImage& image, const Selection& selection) const override;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_MINIDUMP_MINIDUMP_FORMAT_H_
