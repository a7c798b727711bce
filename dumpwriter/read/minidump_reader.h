// SPDX-License-Identifier: Apache-2.0
//
// A minidump as a Snapshot: ours, Breakpad's, Crashpad's, NT's; of x86-64. A file that was cut
// opens for what it holds: its directory must be whole, streams and memory need not be.
#ifndef DOPPEL_DUMPWRITER_READ_MINIDUMP_READER_H_
#define DOPPEL_DUMPWRITER_READ_MINIDUMP_READER_H_

#include <memory>
#include <optional>

#include <dumpwriter/read/byte_source.h>
#include <dumpwriter/read/manifest_reader.h>
#include <snapshot/model/snapshot.h>

namespace doppel {

/// The image is that of the manifest where there is a sound one, with what only streams hold; else
/// what the streams tell. What the file turns out not to hold is added to the omissions. Bytes that
/// `report` calls zero-filled are unreadable in the memory.
///
/// Errc::malformed: no minidump, too short for its directory, or no SystemInfo. Errc::unsupported:
/// of another machine. Errc::limit: more streams, or more in them, than a sane file has.
Result<Snapshot> read_minidump(std::shared_ptr<const ByteSource> source,
                               const std::optional<WriterReport>& report = std::nullopt);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MINIDUMP_READER_H_
