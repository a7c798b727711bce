// SPDX-License-Identifier: Apache-2.0
#include <cassert>
#include <utility>

#include <dumpwriter/plan/layout.h>

namespace doppel {

Layout::Reserved Layout::reserve(std::uint64_t size) {
  const Reserved place{.piece = plan_.pieces.size(), .offset = offset_, .size = size};
  plan_.pieces.emplace_back(Literal{});
  offset_ += size;
  ++unfilled_;
  return place;
}

void Layout::fill(const Reserved& place, std::vector<std::byte> bytes) {
  assert(bytes.size() == place.size);
  auto& literal = std::get<Literal>(plan_.pieces[place.piece]);
  assert(literal.bytes.empty());
  literal.bytes = std::move(bytes);
  --unfilled_;
}

std::uint64_t Layout::append(std::vector<std::byte> bytes) {
  const std::uint64_t at = offset_;
  if (bytes.empty()) return at;
  offset_ += bytes.size();
  plan_.pieces.emplace_back(Literal{.bytes = std::move(bytes)});
  return at;
}

std::uint64_t Layout::append_memory(AddressRange range) {
  const std::uint64_t at = offset_;
  if (range.size == 0) return at;
  offset_ += range.size;
  FromMemory* last = plan_.pieces.empty() ? nullptr : std::get_if<FromMemory>(&plan_.pieces.back());
  if (last != nullptr && last->range.end() == range.begin.value) {
    last->range.size += range.size;
  } else {
    plan_.pieces.emplace_back(FromMemory{.range = range});
  }
  return at;
}

std::uint64_t Layout::append_zeros(std::uint64_t count) {
  const std::uint64_t at = offset_;
  if (count == 0) return at;
  offset_ += count;
  Zeros* last = plan_.pieces.empty() ? nullptr : std::get_if<Zeros>(&plan_.pieces.back());
  if (last != nullptr) {
    last->count += count;
  } else {
    plan_.pieces.emplace_back(Zeros{.count = count});
  }
  return at;
}

std::uint64_t Layout::align(std::uint64_t alignment) {
  assert(alignment != 0 && (alignment & (alignment - 1)) == 0);
  append_zeros((alignment - offset_ % alignment) % alignment);
  return offset_;
}

DumpPlan Layout::seal() && {
  assert(unfilled_ == 0);
  return std::move(plan_);
}

}  // namespace doppel
