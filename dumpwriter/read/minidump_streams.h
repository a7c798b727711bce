// SPDX-License-Identifier: Apache-2.0
//
// What the streams of a minidump say, whoever wrote it (Breakpad, Crashpad, NT, doppel): LLVM's
// record types turned into the model's values. What a stream contradicts itself in is left aside.
// What only our own minidumps know comes from the manifest (manifest_reader.h).
#ifndef DOPPEL_DUMPWRITER_READ_MINIDUMP_STREAMS_H_
#define DOPPEL_DUMPWRITER_READ_MINIDUMP_STREAMS_H_

#include <dumpwriter/read/minidump_file.h>
#include <snapshot/model/process_image.h>

namespace doppel {

/// Errc::unsupported: of another machine than x86-64. Errc::malformed: no SystemInfo.
/// Regions by address and disjoint, thread ids unique.
Result<ProcessImage> read_minidump_image(MinidumpFile& file);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MINIDUMP_STREAMS_H_
