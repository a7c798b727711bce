// SPDX-License-Identifier: Apache-2.0
//
// The one way in for a dump: whatever the file is, the answer is a Snapshot or a clear error. No
// byte of it is trusted.
#ifndef DOPPEL_DUMPWRITER_READ_OPEN_DUMP_H_
#define DOPPEL_DUMPWRITER_READ_OPEN_DUMP_H_

#include <string>

#include <snapshot/model/snapshot.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// The name under which the image's verbatim texts hold what the writer said at the end.
inline constexpr const char* kWriteReportText = "write_report";

/// Opens an ELF core or a minidump: plain, or as zstd frames with or without a seek table. A file
/// that was cut at any byte opens for what it holds, and the image's omissions name the rest.
///
/// Errc::malformed: no dump, or too short for its headers. Errc::unsupported: a core of another
/// machine, or compressed so that it cannot be read at random (decompress it first). Errc::os and
/// Errc::denied: the file cannot be read. The memory is safe to read from several threads.
Result<Snapshot> open_dump(const std::string& path, Sys& sys = Sys::real());

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_OPEN_DUMP_H_
