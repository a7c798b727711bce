// SPDX-License-Identifier: Apache-2.0
//
// Which notes stand in a core, and in which order. The order is the kernel's (fs/binfmt_elf.c,
// fill_note_info and write_note_info), since debuggers grew up with it:
//
//   first thread  CORE NT_PRSTATUS: the one that faulted, or the image's first
//   process       CORE NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE
//   first thread  CORE NT_PRFPREG
//                 LINUX NT_X86_XSTATE, NT_386_IOPERM, NT_X86_SHSTK: those that it has
//   each further  CORE NT_PRSTATUS, NT_SIGINFO if a signal is on its way, register sets as above
//   machine       LINUX NT_X86_XSAVE_LAYOUT where the engine knows it
//   ours          DOPPEL manifest, handles
//
// A register set that could not be read has no note, and pr_fpvalid says so.
#ifndef DOPPEL_DUMPWRITER_ELF_NOTES_H_
#define DOPPEL_DUMPWRITER_ELF_NOTES_H_

#include <cstddef>
#include <vector>

#include <dumpwriter/plan/selection.h>
#include <snapshot/model/process_image.h>
#include <snapshot/support/result.h>

namespace doppel {

/// Names under which ProcessImage::verbatim holds what becomes a note of its own.
namespace verbatim {
inline constexpr const char* kAuxv = "auxv";  ///< /proc/PID/auxv
inline constexpr const char* kXsaveLayout =
    "xsave_layout";  ///< struct x86_xfeat_component[] (v6.12)
}  // namespace verbatim

/// The contents of the PT_NOTE segment. Errc::limit when one note would reach 4 GiB.
Result<std::vector<std::byte>> make_notes(const ProcessImage& image, const Selection& selection);

/// NT_FILE: every mapping that has a file, by address; offsets in pages of 4096 bytes.
std::vector<std::byte> make_file_note(const std::vector<Region>& regions);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_NOTES_H_
