// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <vector>

#include <snapshot/executive/native/guest_arguments.h>

namespace doppel {
namespace {

struct UnicodeString {
  std::uint16_t length = 0, maximum = 0;  ///< bytes
  std::uint32_t pad = 0;
  std::uint64_t buffer = 0;
};

struct AttributesRecord {
  std::uint32_t length = 0, pad0 = 0;
  std::uint64_t root = 0, name = 0;
  std::uint32_t attributes = 0, pad1 = 0;
  std::uint64_t security = 0, quality = 0;
};

static_assert(sizeof(UnicodeString) == 16 && sizeof(AttributesRecord) == 48);

struct PsAttribute {
  std::uint64_t attribute = 0, size = 0, value = 0, returned = 0;
};

// PS_ATTRIBUTE values (phnt, PsAttributeValue).
constexpr std::uint64_t kParentProcess = 0x60000, kToken = 0x60002, kClientId = 0x10003,
                        kTebAddress = 0x10004, kImageName = 0x20005, kImageInfo = 0x6,
                        kStandardHandles = 0x2000A, kHandleList = 0x2000B,
                        kProtectionLevel = 0x60011;

constexpr std::size_t kMostAttributes = 32, kMostHandles = 4096;

/// Bytes of [address, address + size) that lie in its first page.
std::size_t in_page(std::uint64_t address, std::uint64_t size) {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(size, kNtPageSize - address % kNtPageSize));
}

bool in_user_space(std::uint64_t address, std::uint64_t size) {
  return address < kUserEnd && size <= kUserEnd - address;
}

}  // namespace

bool GuestArguments::copy_in(std::uint64_t address, std::span<std::byte> to) {
  if (!in_user_space(address, to.size())) return false;
  while (!to.empty()) {
    const std::size_t part = in_page(address, to.size());
    PageFault fault;
    if (!space_.load(address, to.first(part), fault, teb_)) return false;
    address += part;
    to = to.subspan(part);
  }
  return true;
}

bool GuestArguments::probe(std::uint64_t address, std::uint64_t size) {
  if (size == 0) return true;
  if (!in_user_space(address, size)) return false;
  const std::uint64_t last = address + size - 1;
  for (std::uint64_t at = address; at <= last; at += in_page(at, kNtPageSize)) {
    std::byte byte{};
    PageFault fault;
    if (!space_.load_for_store(at, {&byte, 1}, fault, teb_)) return false;
  }
  return true;
}

void GuestArguments::copy_out(std::uint64_t address, std::span<const std::byte> from) {
  while (!from.empty()) {
    const std::size_t part = in_page(address, from.size());
    PageFault fault;
    if (!space_.store(address, from.first(part), fault, teb_)) return;
    address += part;
    from = from.subspan(part);
  }
}

NtStatus GuestArguments::utf16(std::uint64_t address, std::uint64_t bytes, std::string& value) {
  std::u16string wide(bytes / 2, u'\0');
  if (!copy_in(address, std::as_writable_bytes(std::span(wide)))) return status::access_violation;
  value = utf8_of(wide);
  return status::success;
}

NtStatus GuestArguments::text(std::uint64_t address, std::string& value) {
  UnicodeString record;
  if (!get(address, record)) return status::access_violation;
  if (record.length % 2 != 0) return status::object_name_invalid;
  return utf16(record.buffer, record.length, value);
}

NtStatus GuestArguments::object_attributes(std::uint64_t address, ObjectAttributes& value) {
  value = {};
  if (address == 0) return status::success;
  AttributesRecord record;
  if (!get(address, record)) return status::access_violation;
  if (record.length != sizeof record) return status::invalid_parameter;
  if (record.security != 0) return status::not_supported;
  value.root = record.root;
  value.attributes = record.attributes;
  if (record.name == 0) return status::success;
  std::string name;
  if (const NtStatus read = text(record.name, name); read != status::success) return read;
  if (!name.empty()) value.name = std::move(name);
  return status::success;
}

NtStatus GuestArguments::optional_integer(std::uint64_t address,
                                          std::optional<std::int64_t>& value) {
  value.reset();
  if (address == 0) return status::success;
  std::int64_t read = 0;
  if (!get(address, read)) return status::access_violation;
  value = read;
  return status::success;
}

NtStatus GuestArguments::parameters(std::uint64_t address, ProcessParameters& value) {
  std::array<std::byte, 0x448> block;
  if (!copy_in(address, block)) return status::access_violation;
  const auto field = [&block]<typename T>(std::size_t offset, T& to) {
    std::copy_n(block.data() + offset, sizeof to, std::as_writable_bytes(std::span(&to, 1)).data());
  };
  field(0x08, value.flags);
  field(0x20, value.standard_input);
  field(0x28, value.standard_output);
  field(0x30, value.standard_error);
  const std::uint64_t origin = (value.flags & 1) != 0 ? 0 : address;

  struct Text {
    std::size_t offset;
    std::string* to;
  };

  for (const auto& [offset, to] :
       {Text{0x38, &value.current_directory}, Text{0x50, &value.dll_path},
        Text{0x60, &value.image_path}, Text{0x70, &value.command_line}}) {
    UnicodeString record;
    field(offset, record);
    if (record.length % 2 != 0) return status::invalid_parameter;
    if (const NtStatus read = utf16(origin + record.buffer, record.length, *to);
        record.length != 0 && read != status::success)
      return read;
  }
  std::uint64_t environment = 0;
  std::uint64_t size = 0;
  field(0x80, environment);
  field(0x3F0, size);
  if (environment == 0 || size == 0) return status::success;
  if (size > kLongestBuffer) return status::invalid_parameter;
  std::string all;
  if (const NtStatus read = utf16(origin + environment, size, all); read != status::success)
    return read;
  for (std::size_t at = 0; at < all.size() && all[at] != '\0';) {
    const std::size_t end = std::min(all.find('\0', at), all.size());
    value.environment.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return status::success;
}

NtStatus GuestArguments::attributes(std::uint64_t address, UserProcessAttributes& value) {
  if (address == 0) return status::success;
  std::uint64_t length = 0;
  if (!get(address, length)) return status::access_violation;
  if (length < 8 || (length - 8) % sizeof(PsAttribute) != 0 ||
      (length - 8) / sizeof(PsAttribute) > kMostAttributes) {
    value.malformed = true;
    return status::success;
  }
  std::vector<std::uint64_t> seen;
  for (std::uint64_t at = address + 8; at < address + length; at += sizeof(PsAttribute)) {
    PsAttribute entry;
    if (!get(at, entry)) return status::access_violation;
    if (std::ranges::find(seen, entry.attribute) != seen.end()) value.malformed = true;
    seen.push_back(entry.attribute);
    switch (entry.attribute) {
      case kParentProcess:
        value.parent = entry.value;
        break;
      case kToken:
        value.token = entry.value;
        break;
      case kProtectionLevel:
        value.protection_level = static_cast<std::uint8_t>(entry.value);
        break;
      case kImageName: {
        if (entry.size % 2 != 0 || entry.size > 0xFFFE) {
          value.malformed = true;
          break;
        }
        std::string name;
        if (const NtStatus read = utf16(entry.value, entry.size, name); read != status::success)
          return read;
        value.image_name = std::move(name);
        break;
      }
      case kHandleList: {
        if (entry.size % 8 != 0 || entry.size / 8 > kMostHandles) {
          value.malformed = true;
          break;
        }
        std::vector<HandleValue> list(entry.size / 8);
        if (!copy_in(entry.value, std::as_writable_bytes(std::span(list))))
          return status::access_violation;
        value.handle_list = std::move(list);
        break;
      }
      case kClientId:
      case kTebAddress:
      case kImageInfo:
      case kStandardHandles:
        break;
      default:
        value.malformed = true;
        break;
    }
  }
  return status::success;
}

NtStatus GuestArguments::answer(std::uint64_t address, const UserProcessAttributes& value,
                                bool only_probe) {
  if (address == 0 || value.malformed) return status::success;
  std::uint64_t length = 0;
  if (!get(address, length)) return status::access_violation;
  for (std::uint64_t at = address + 8; at < address + length; at += sizeof(PsAttribute)) {
    PsAttribute entry;
    if (!get(at, entry)) return status::access_violation;
    std::span<const std::byte> bytes;
    if (entry.attribute == kClientId) bytes = std::as_bytes(std::span(&value.client_id, 1));
    if (entry.attribute == kTebAddress) bytes = std::as_bytes(std::span(&value.teb_address, 1));
    if (entry.attribute == kImageInfo) bytes = std::as_bytes(std::span(&value.image, 1));
    if (bytes.empty()) continue;
    bytes = bytes.first(std::min<std::uint64_t>(bytes.size(), entry.size));
    if (only_probe) {
      if (!probe(entry.value, bytes.size())) return status::access_violation;
      continue;
    }
    copy_out(entry.value, bytes);
    if (entry.returned != 0) put(entry.returned, std::uint64_t{bytes.size()});
  }
  return status::success;
}

}  // namespace doppel
