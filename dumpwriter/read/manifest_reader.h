// SPDX-License-Identifier: Apache-2.0
//
// The JSON texts that doppel puts into its dumps, read back into the model: the manifest, the
// handles, and the report at the end of a compressed dump. A member that is missing or of another
// type than expected is skipped, so that a reader of one version reads dumps of another.
#ifndef DOPPEL_DUMPWRITER_READ_MANIFEST_READER_H_
#define DOPPEL_DUMPWRITER_READ_MANIFEST_READER_H_

#include <string>
#include <string_view>
#include <vector>

#include <snapshot/model/process_image.h>
#include <snapshot/support/result.h>

namespace doppel {

struct Manifest {
  ProcessImage image;
  /// One for each of image.threads: the thread has an FXSAVE image of its own. Where it has none
  /// the note NT_PRFPREG was taken from the XSAVE area.
  std::vector<bool> own_fxsave;
};

/// What the writer said at the end of a dump.
struct WriterReport {
  bool complete = true;
  std::string cut_short;              ///< why; empty when complete
  std::vector<Omission> zero_filled;  ///< zeros stand there for bytes that could not be read
};

/// Everything but the registers, which are notes, and what a core cannot hold. Threads are in the
/// image's order, their registers empty. Errc::malformed when it is no JSON object, is nested
/// beyond reason, or is of a schema that this reader does not know.
Result<Manifest> read_manifest(std::string_view json);

/// Errc::malformed when it is no JSON array.
Result<std::vector<Handle>> read_handles(std::string_view json);

Result<WriterReport> read_writer_report(std::string_view json);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MANIFEST_READER_H_
