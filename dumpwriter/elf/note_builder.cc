// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <limits>
#include <string>

#include <dumpwriter/elf/note_builder.h>

namespace doppel {

namespace {

constexpr std::size_t kAlignment = 4;

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void pad(std::vector<std::byte>& to) {
  to.resize((to.size() + kAlignment - 1) / kAlignment * kAlignment);
}

}  // namespace

Result<> NoteBuilder::add(std::string_view owner, std::uint32_t type,
                          std::span<const std::byte> descriptor) {
  if (descriptor.size() > std::numeric_limits<std::uint32_t>::max() - kAlignment) {
    return fail(Errc::limit, "build note", std::string(owner));
  }
  const std::array<std::uint32_t, 3> header = {static_cast<std::uint32_t>(owner.size() + 1),
                                               static_cast<std::uint32_t>(descriptor.size()), type};
  append(bytes_, std::as_bytes(std::span(header)));
  append(bytes_, std::as_bytes(std::span(owner)));
  bytes_.push_back(std::byte{0});
  pad(bytes_);
  append(bytes_, descriptor);
  pad(bytes_);
  return {};
}

}  // namespace doppel
