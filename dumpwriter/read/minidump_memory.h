// SPDX-License-Identifier: Apache-2.0
//
// Which memory a minidump holds, and where in the file.
#ifndef DOPPEL_DUMPWRITER_READ_MINIDUMP_MEMORY_H_
#define DOPPEL_DUMPWRITER_READ_MINIDUMP_MEMORY_H_

#include <vector>

#include <dumpwriter/read/file_memory.h>
#include <dumpwriter/read/minidump_file.h>

namespace doppel {

/// Of Memory64List, MemoryList and the stacks of ThreadList, in this order, which may overlap. The
/// offsets are those that the dump claims: within the file or not. None wraps.
std::vector<Stretch> read_minidump_memory(MinidumpFile& file);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MINIDUMP_MEMORY_H_
