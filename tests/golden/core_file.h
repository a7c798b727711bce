// SPDX-License-Identifier: Apache-2.0
//
// An image and its memory written to a plain core, the way every writer must.
#ifndef DOPPEL_TESTS_GOLDEN_CORE_FILE_H_
#define DOPPEL_TESTS_GOLDEN_CORE_FILE_H_

#include <fstream>
#include <string>

#include <dumpwriter/formats.h>
#include <tests/support/pour.h>

namespace doppel {

/// Errors as select(), the format and the memory give them.
inline Result<std::vector<std::byte>> make_core(const ProcessImage& image, const Memory& memory,
                                                const SelectionPolicy& policy = {}) {
  const Selection selection = DOPPEL_TRY(select(image, memory, policy));
  const DumpPlan plan = DOPPEL_TRY(find_format("elf")->plan(image, selection));
  return pour(plan, memory);
}

inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_GOLDEN_CORE_FILE_H_
