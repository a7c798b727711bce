// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a minidump: read, looked at all over, and planned anew in both formats, as `inspect`
// and `convert` do. What was planned as a minidump must be readable again.
#include <cassert>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include <dumpwriter/formats.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/plan/whole_pages.h>
#include <dumpwriter/read/minidump_reader.h>

namespace doppel {
namespace {

class BytesSource final : public ByteSource {
 public:
  explicit BytesSource(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  std::uint64_t size() const override { return bytes_.size(); }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> to) const override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(to.size(), bytes_.size() - offset);
    std::memcpy(to.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  const std::vector<std::byte> bytes_;
};

void look(const Snapshot& snapshot) {
  std::vector<std::byte> bytes(0x3000);
  for (const Region& region : snapshot.image.regions) {
    (void)snapshot.memory->survey(region.range);
    (void)snapshot.memory->read(region.range.begin, bytes);
    (void)snapshot.memory->read({region.range.end() - 5}, bytes);
  }
  (void)snapshot.memory->survey({{0}, ~0ull});
  (void)snapshot.memory->read({~0ull}, bytes);
}

void convert(Snapshot snapshot) {
  const WholePages memory(std::move(snapshot.memory), snapshot.image.regions);
  const auto selection = select(snapshot.image, memory, {.filter = {}, .held = true});
  if (!selection) return;
  for (const DumpFormat* format : all_formats()) {
    const auto plan = format->plan(snapshot.image, *selection);
    if (!plan || format->name() != "minidump") continue;
    // Its facts without its memory: a dump that was cut behind them.
    std::vector<std::byte> head = std::get<Literal>(plan->pieces.front()).bytes;
    const auto again = read_minidump(std::make_shared<BytesSource>(std::move(head)));
    assert(again.has_value() || again.error().code == Errc::limit);
    assert(!again || again->image.threads.size() == snapshot.image.threads.size());
  }
}

}  // namespace
}  // namespace doppel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  auto snapshot = doppel::read_minidump(
      std::make_shared<doppel::BytesSource>(std::vector<std::byte>(bytes, bytes + size)));
  if (!snapshot) return 0;
  doppel::look(*snapshot);
  doppel::convert(std::move(*snapshot));
  return 0;
}
