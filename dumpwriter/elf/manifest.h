// SPDX-License-Identifier: Apache-2.0
//
// What an ELF core has no place for, as two JSON texts in notes of ours: how the dump was taken and
// how far it can be trusted, and every fact of the image that the system's notes leave out. With
// the other notes it is enough to rebuild the ProcessImage. docs/formats/elf-core.md is the
// contract.
#ifndef DOPPEL_DUMPWRITER_ELF_MANIFEST_H_
#define DOPPEL_DUMPWRITER_ELF_MANIFEST_H_

#include <string>
#include <vector>

#include <dumpwriter/plan/selection.h>
#include <snapshot/model/process_image.h>

namespace doppel {

/// Grows only when a reader of the old number would misread; new members do not raise it.
inline constexpr unsigned kManifestSchema = 1;

/// The DOPPEL note kManifest: one object.
std::string make_manifest(const ProcessImage& image, const Selection& selection);

/// The DOPPEL note kHandles: one array.
std::string make_handle_list(const std::vector<Handle>& handles);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_MANIFEST_H_
