// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include <dumpwriter/job/block_reader.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPage = BlockStream::kPage;

std::string reason(const Error& error) {
  if (error.code == Errc::unmapped) return "unreadable";
  if (error.os != 0) return std::string("read error ") + std::to_string(error.os);
  return "read error";
}

Result<> read_range(const Memory& memory, AddressRange range, std::span<std::byte> to,
                    std::vector<ZeroFilled>& filled) {
  std::uint64_t done = 0;
  while (done < range.size) {
    const Address at{range.begin.value + done};
    const Result<std::size_t> count = memory.read(at, to.subspan(done));
    if (count) {
      done += *count;
      continue;
    }
    if (count.error().code == Errc::gone) return fail(count.error());
    // To the end of this page, no further.
    const std::uint64_t size = std::min(kPage - at.value % kPage, range.size - done);
    std::memset(to.data() + done, 0, size);
    ZeroFilled gap{.range = {at, size}, .why = reason(count.error())};
    if (!filled.empty() && filled.back().range.end() == at.value && filled.back().why == gap.why) {
      filled.back().range.size += size;
    } else {
      filled.push_back(std::move(gap));
    }
    done += size;
  }
  return {};
}

}  // namespace

bool all_zero(std::span<const std::byte> bytes) {
  // Each byte equals the one before, and the first is zero: memcmp looks at 32 bytes at a time and
  // stops at the first difference.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

Result<BlockFacts> read_block(const Memory& memory, const Block& block, std::span<std::byte> to) {
  BlockFacts facts;
  facts.all_zero = true;
  std::size_t offset = 0;
  for (const BlockPart& part : block.parts) {
    const std::span<std::byte> here = to.subspan(offset, part.size);
    offset += part.size;
    switch (part.kind) {
      case BlockPart::Kind::literal:
        std::memcpy(here.data(), part.literal.data(), part.size);
        break;
      case BlockPart::Kind::memory:
        DOPPEL_TRY(read_range(memory, *part.range, here, facts.filled));
        facts.memory_bytes += part.size;
        break;
      case BlockPart::Kind::zeros:
        std::memset(here.data(), 0, part.size);
        continue;
    }
    facts.all_zero = facts.all_zero && all_zero(here);
  }
  return facts;
}

}  // namespace doppel
