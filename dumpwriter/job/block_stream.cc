// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <variant>

#include <dumpwriter/job/block_stream.h>

namespace doppel {
namespace {

// A frame per small mapping would cost a header, a table entry and a compressor's reset each.
constexpr std::size_t kSmallBlock = 64 << 10;

std::uint64_t size_of(const Piece& piece) {
  if (const auto* literal = std::get_if<Literal>(&piece)) return literal->bytes.size();
  if (const auto* memory = std::get_if<FromMemory>(&piece)) return memory->range.size;
  return std::get<Zeros>(piece).count;
}

}  // namespace

BlockStream::BlockStream(const DumpPlan& plan, std::size_t block_size)
    : plan_(plan), block_size_(block_size) {
  assert(block_size >= kPage && block_size % kPage == 0);
  for (const Piece& piece : plan.pieces) total_ += size_of(piece);
}

bool BlockStream::next(Block& block) {
  block.offset = offset_;
  block.size = 0;
  block.parts.clear();
  while (piece_ < plan_.pieces.size() && block.size < block_size_) {
    const Piece& piece = plan_.pieces[piece_];
    if (size_of(piece) == within_) {
      ++piece_;
      within_ = 0;
      continue;
    }
    if (!block.parts.empty()) {
      const bool literal = std::holds_alternative<Literal>(piece);
      if (literal != (block.parts.back().kind == BlockPart::Kind::literal)) break;
      if (block.size >= kSmallBlock && starts_new_stretch()) break;
    }
    const std::size_t before = block.size;
    take(block, block_size_ - block.size);
    if (block.size == before) break;  // no whole page fits any more
  }
  offset_ += block.size;
  return block.size > 0;
}

void BlockStream::take(Block& block, std::size_t room) {
  const Piece& piece = plan_.pieces[piece_];
  std::size_t size = std::min<std::uint64_t>(room, size_of(piece) - within_);
  BlockPart part;
  if (const auto* literal = std::get_if<Literal>(&piece)) {
    part.kind = BlockPart::Kind::literal;
    part.literal = std::span(literal->bytes).subspan(within_, size);
  } else if (const auto* memory = std::get_if<FromMemory>(&piece)) {
    literals_only_ = false;
    const std::uint64_t begin = memory->range.begin.value + within_;
    if (size < memory->range.size - within_) {
      // Cut between pages, so that each is read once and can be given back.
      const std::size_t beyond = (begin + size) % kPage;
      if (beyond < size)
        size -= beyond;
      else if (block.size > 0)
        return;
    }
    part.kind = BlockPart::Kind::memory;
    part.range = AddressRange{{begin}, size};
    address_ = begin + size;
  } else {
    literals_only_ = false;
    part.kind = BlockPart::Kind::zeros;
    part.range = place_of_zeros(size);
    if (part.range) address_ = part.range->end();
  }
  part.size = size;
  block.parts.push_back(part);
  block.size += size;
  within_ += size;
}

bool BlockStream::starts_new_stretch() const {
  if (within_ > 0) return false;
  const auto* memory = std::get_if<FromMemory>(&plan_.pieces[piece_]);
  return memory != nullptr && (!address_ || *address_ != memory->range.begin.value);
}

std::optional<AddressRange> BlockStream::place_of_zeros(std::size_t size) const {
  // Zeros between two stretches that they join exactly; all other zeros may be padding.
  if (!address_ || piece_ + 1 >= plan_.pieces.size()) return std::nullopt;
  const auto* after = std::get_if<FromMemory>(&plan_.pieces[piece_ + 1]);
  const std::uint64_t left = std::get<Zeros>(plan_.pieces[piece_]).count - within_;
  if (after == nullptr || *address_ + left != after->range.begin.value) return std::nullopt;
  return AddressRange{{*address_}, size};
}

bool BlockStream::next_is_header() const {
  if (!literals_only_) return false;
  std::size_t piece = piece_;
  std::uint64_t within = within_;
  while (piece < plan_.pieces.size() && size_of(plan_.pieces[piece]) == within) {
    ++piece;
    within = 0;
  }
  return piece < plan_.pieces.size() && std::holds_alternative<Literal>(plan_.pieces[piece]);
}

}  // namespace doppel
