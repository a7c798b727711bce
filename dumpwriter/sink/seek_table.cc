// SPDX-License-Identifier: Apache-2.0
#include <cassert>
#include <string>

#include <dumpwriter/sink/seek_table.h>

namespace doppel {
namespace {

constexpr std::uint32_t kSeekTableMagic = 0x184D2A5E;
constexpr std::uint32_t kFooterMagic = 0x8F92EAB1;
constexpr std::size_t kFooterSize = 9;

std::byte* put32(std::byte* to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) *to++ = static_cast<std::byte>(value >> (8 * i));
  return to;
}

}  // namespace

std::array<std::byte, 8> skippable_header(std::uint32_t magic, std::uint32_t size) {
  assert((magic & 0xFFFFFFF0u) == 0x184D2A50u);
  std::array<std::byte, 8> header{};
  put32(put32(header.data(), magic), size);
  return header;
}

Result<> SeekTable::add(std::uint32_t compressed, std::uint32_t decompressed) {
  if (entries_.size() >= kMaxFrames) {
    return fail(Errc::limit, "list a frame", std::to_string(entries_.size()));
  }
  entries_.push_back({compressed, decompressed});
  return {};
}

std::uint64_t SeekTable::encoded_size() const {
  return 8 + entries_.size() * 8 + kFooterSize;
}

Result<> SeekTable::write_to(Sink& sink) const {
  const auto body = static_cast<std::uint32_t>(entries_.size() * 8 + kFooterSize);
  DOPPEL_TRY(sink.write(skippable_header(kSeekTableMagic, body)));
  std::vector<std::byte> part(64 << 10);
  std::size_t used = 0;
  for (const Entry& entry : entries_) {
    put32(put32(part.data() + used, entry.compressed), entry.decompressed);
    used += 8;
    if (used == part.size()) {
      DOPPEL_TRY(sink.write(part));
      used = 0;
    }
  }
  DOPPEL_TRY(sink.write(std::span(part).first(used)));
  std::array<std::byte, kFooterSize> footer{};
  put32(footer.data(), static_cast<std::uint32_t>(entries_.size()));
  put32(footer.data() + 5, kFooterMagic);
  DOPPEL_TRY(sink.write(footer));
  return {};
}

}  // namespace doppel
