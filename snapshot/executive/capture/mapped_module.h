// SPDX-License-Identifier: Apache-2.0
//
// What the headers of a mapped image say of it: read from memory, which the program may have
// written over, so nothing is believed that does not fit.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_MAPPED_MODULE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_MAPPED_MODULE_H_

#include <cstdint>

#include <snapshot/model/memory.h>
#include <snapshot/model/windows.h>

namespace doppel {

/// Time stamp, checksum and PDB (its CodeView record RSDS) of the image mapped at `range`. What
/// makes no sense stays empty. `unreadable` is set where memory that should tell cannot be read.
WindowsModule read_mapped_module(const Memory& memory, AddressRange range, bool& unreadable);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_MAPPED_MODULE_H_
