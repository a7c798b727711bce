// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <snapshot/support/byte_reader.h>
#include <snapshot/support/bytes.h>
#include <snapshot/support/checked_math.h>

namespace doppel {

Result<std::span<const std::byte>> ByteReader::take(std::uint64_t count) {
  if (count > remaining()) {
    return fail(Errc::malformed, "read past the end at", std::to_string(position_));
  }
  const std::span<const std::byte> taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

Result<std::string_view> ByteReader::read_string() {
  const std::string_view rest = text_of(bytes_.subspan(position_));
  const std::size_t length = rest.find('\0');
  if (length == std::string_view::npos) {
    return fail(Errc::malformed, "read text without an end at", std::to_string(position_));
  }
  position_ += length + 1;
  return rest.substr(0, length);
}

Result<> ByteReader::skip(std::uint64_t count) {
  DOPPEL_TRY(take(count));
  return {};
}

Result<> ByteReader::align(std::uint64_t alignment) {
  const std::uint64_t aligned = DOPPEL_TRY(checked_align_up(position_, alignment));
  return seek(aligned);
}

Result<> ByteReader::seek(std::uint64_t position) {
  if (position > bytes_.size()) {
    return fail(Errc::malformed, "move past the end to", std::to_string(position));
  }
  position_ = position;
  return {};
}

}  // namespace doppel
