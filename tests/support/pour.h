// SPDX-License-Identifier: Apache-2.0
//
// A plan poured into a vector, in ten lines: what every writer must produce.
#ifndef DOPPEL_TESTS_SUPPORT_POUR_H_
#define DOPPEL_TESTS_SUPPORT_POUR_H_

#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include <dumpwriter/plan/dump_plan.h>
#include <snapshot/model/memory.h>
#include <snapshot/support/result.h>

namespace doppel {

/// The whole file. Fails where the memory does.
inline Result<std::vector<std::byte>> pour(const DumpPlan& plan, const Memory& memory) {
  std::vector<std::byte> file;
  for (const Piece& piece : plan.pieces) {
    if (const auto* literal = std::get_if<Literal>(&piece)) {
      file.insert(file.end(), literal->bytes.begin(), literal->bytes.end());
    } else if (const auto* zeros = std::get_if<Zeros>(&piece)) {
      file.resize(file.size() + zeros->count);
    } else {
      const AddressRange range = std::get<FromMemory>(piece).range;
      std::uint64_t done = 0;
      file.resize(file.size() + range.size);
      const std::span to = std::span(file).last(range.size);
      while (done < range.size) {
        const std::size_t count =
            DOPPEL_TRY(memory.read(Address{range.begin.value + done}, to.subspan(done)));
        done += count;
      }
    }
  }
  return file;
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_POUR_H_
