// SPDX-License-Identifier: Apache-2.0
//
// Offsets: Microsoft's "PE Format". The CodeView record is that of PDB 7.0: "RSDS", GUID, age,
// path.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include <snapshot/executive/capture/mapped_module.h>

namespace doppel {
namespace {

constexpr std::uint32_t kDebugDirectory = 6, kCodeView = 2, kRsds = 0x53445352;
constexpr std::size_t kMostPath = 1024, kMostEntries = 16;

class Image {
 public:
  Image(const Memory& memory, AddressRange range, bool& unreadable)
      : memory_(memory), range_(range), unreadable_(unreadable) {}

  bool read(std::uint64_t at, std::span<std::byte> to) const {
    if (at > range_.size || to.size() > range_.size - at) return false;
    std::size_t done = 0;
    while (done < to.size()) {
      const auto got =
          memory_.read({range_.begin.value + at + done}, to.subspan(done, to.size() - done));
      if (!got) {
        unreadable_ = true;
        return false;
      }
      done += *got;
    }
    return true;
  }

  template <typename T>
  std::optional<T> get(std::uint64_t at) const {
    T value;
    if (!read(at, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
    return value;
  }

 private:
  const Memory& memory_;
  AddressRange range_;
  bool& unreadable_;
};

struct DebugEntry {
  std::uint32_t characteristics, time_stamp, version, type, size, rva, file_offset;
};

void read_pdb(const Image& image, const DebugEntry& entry, WindowsModule& module) {
  struct {
    std::uint32_t signature;
    std::array<std::byte, 16> guid;
    std::uint32_t age;
  } record;

  if (entry.size <= sizeof record ||
      !image.read(entry.rva, std::as_writable_bytes(std::span(&record, 1))) ||
      record.signature != kRsds)
    return;
  std::array<char, kMostPath> path;
  const std::size_t size = std::min<std::size_t>(path.size(), entry.size - sizeof record);
  if (!image.read(entry.rva + sizeof record, std::as_writable_bytes(std::span(path).first(size))))
    return;
  module.pdb_guid = record.guid;
  module.pdb_age = record.age;
  module.pdb_path.assign(path.begin(), std::find(path.begin(), path.begin() + size, '\0'));
}

}  // namespace

WindowsModule read_mapped_module(const Memory& memory, AddressRange range, bool& unreadable) {
  const Image image(memory, range, unreadable);
  WindowsModule module;
  const auto magic = image.get<std::uint16_t>(0);
  const auto start = image.get<std::uint32_t>(0x3C);
  if (magic != 0x5A4D || !start) return module;
  const std::uint64_t headers = *start;
  const std::uint64_t optional = headers + 24;
  if (image.get<std::uint32_t>(headers) != 0x4550 || image.get<std::uint16_t>(optional) != 0x20B)
    return module;
  module.time_stamp = image.get<std::uint32_t>(headers + 8).value_or(0);
  module.checksum = image.get<std::uint32_t>(optional + 64).value_or(0);
  const std::uint32_t directories = image.get<std::uint32_t>(optional + 108).value_or(0);
  if (directories <= kDebugDirectory) return module;

  struct Directory {
    std::uint32_t rva, size;
  };

  const auto debug = image.get<Directory>(optional + 112 + kDebugDirectory * sizeof(Directory));
  if (!debug) return module;
  const std::size_t entries = std::min<std::size_t>(kMostEntries, debug->size / sizeof(DebugEntry));
  for (std::size_t i = 0; i < entries && module.pdb_path.empty(); ++i) {
    const auto entry = image.get<DebugEntry>(debug->rva + i * sizeof(DebugEntry));
    if (entry && entry->type == kCodeView) read_pdb(image, *entry, module);
  }
  return module;
}

}  // namespace doppel
