// SPDX-License-Identifier: Apache-2.0
#include <dumpwriter/elf/core_format.h>
#include <dumpwriter/formats.h>
#include <dumpwriter/minidump/minidump_format.h>

namespace doppel {

std::span<const DumpFormat* const> all_formats() {
  static const ElfCoreFormat elf;
  static const MinidumpFormat minidump;
  static constexpr const DumpFormat* kFormats[] = {&elf, &minidump};
  return kFormats;
}

const DumpFormat* find_format(std::string_view name) {
  for (const DumpFormat* format : all_formats()) {
    if (format->name() == name) return format;
  }
  return nullptr;
}

}  // namespace doppel
