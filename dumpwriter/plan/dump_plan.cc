// SPDX-License-Identifier: Apache-2.0
#include <dumpwriter/plan/dump_plan.h>

namespace doppel {

namespace {

std::uint64_t size_of(const Piece& piece) {
  if (const auto* literal = std::get_if<Literal>(&piece)) return literal->bytes.size();
  if (const auto* memory = std::get_if<FromMemory>(&piece)) return memory->range.size;
  return std::get<Zeros>(piece).count;
}

}  // namespace

std::uint64_t DumpPlan::size() const {
  std::uint64_t sum = 0;
  for (const Piece& piece : pieces) sum += size_of(piece);
  return sum;
}

std::uint64_t DumpPlan::memory_size() const {
  std::uint64_t sum = 0;
  for (const Piece& piece : pieces) {
    if (const auto* memory = std::get_if<FromMemory>(&piece)) sum += memory->range.size;
  }
  return sum;
}

}  // namespace doppel
