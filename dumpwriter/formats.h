// SPDX-License-Identifier: Apache-2.0
//
// The only file that knows all formats. To add one: its folder, and one line in formats.cc.
#ifndef DOPPEL_DUMPWRITER_FORMATS_H_
#define DOPPEL_DUMPWRITER_FORMATS_H_

#include <span>
#include <string_view>

#include <dumpwriter/plan/dump_format.h>

namespace doppel {

/// Every format, the default first. They live as long as the program.
std::span<const DumpFormat* const> all_formats();

/// The format of that name ("elf", "minidump"), or null.
const DumpFormat* find_format(std::string_view name);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_FORMATS_H_
