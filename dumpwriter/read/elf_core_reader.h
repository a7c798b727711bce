// SPDX-License-Identifier: Apache-2.0
//
// An ELF core as a Snapshot: ours, gcore's, the kernel's. LLVM reads headers and notes; it is fed
// a small file put together from those parts alone, since it wants all of a file in memory, and a
// dump may be a terabyte. More than 65534 segments are counted here: LLVM 19 stops at 65535.
//
// A core that was cut opens for what it holds: its index must be whole, the notes and the memory
// need not be.
#ifndef DOPPEL_DUMPWRITER_READ_ELF_CORE_READER_H_
#define DOPPEL_DUMPWRITER_READ_ELF_CORE_READER_H_

#include <memory>
#include <optional>
#include <string>

#include <dumpwriter/read/byte_source.h>
#include <dumpwriter/read/manifest_reader.h>
#include <snapshot/model/snapshot.h>

namespace doppel {

/// The name under which the image's verbatim texts hold the manifest of a core of ours.
inline constexpr const char* kManifestText = "manifest";

/// The image is that of the manifest where there is a sound one; else what notes and program
/// headers tell (of an x86-64 process under Linux: no thread names, and as regions only those that
/// have a program header). What the file turns out not to hold is added to the omissions. Bytes
/// that `report` calls zero-filled are unreadable in the memory.
///
/// Errc::malformed: no ELF core, or too short for its headers. Errc::unsupported: a core of
/// another machine. Errc::limit: headers or notes beyond 1 GiB.
Result<Snapshot> read_elf_core(std::shared_ptr<const ByteSource> source,
                               const std::optional<WriterReport>& report = std::nullopt);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_ELF_CORE_READER_H_
