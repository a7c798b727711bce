// SPDX-License-Identifier: Apache-2.0
//
// The two C structs that every core holds, as the kernel lays them out for this architecture
// (include/linux/elfcore.h: elf_prstatus, elf_prpsinfo). Values in, bytes out.
#ifndef DOPPEL_DUMPWRITER_ELF_PRSTATUS_H_
#define DOPPEL_DUMPWRITER_ELF_PRSTATUS_H_

#include <cstddef>
#include <vector>

#include <snapshot/model/process_image.h>

namespace doppel {

/// NT_PRSTATUS, 336 bytes. `has_fp`: an NT_PRFPREG of this thread follows (pr_fpvalid). Ids are
/// those of the target's own pid namespace. The leader reports the times of the whole group, as in
/// the kernel. Without a fault of this thread the signal is 0: a snapshot taken on request has
/// none.
std::vector<std::byte> make_prstatus(const ProcessImage& image, const Thread& thread, bool has_fp);

/// NT_PRPSINFO, 136 bytes. Arguments joined by one blank, cut to 79 bytes and a NUL.
std::vector<std::byte> make_prpsinfo(const ProcessImage& image);

/// The thread's NT_PRFPREG (512 bytes, the FXSAVE image), or empty. Taken from the start of the
/// XSAVE area when the thread has that one only: the two agree, save for the bytes that software
/// owns.
std::vector<std::byte> make_prfpreg(const CpuContext& registers);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_PRSTATUS_H_
