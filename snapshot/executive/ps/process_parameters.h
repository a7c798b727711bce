// SPDX-License-Identifier: Apache-2.0
//
// RTL_USER_PROCESS_PARAMETERS: what a creator tells a new process, as values, as the block of bytes
// that the process finds through its PEB, and back. Offsets: phnt. Text is UTF-8 here and UTF-16 in
// the block.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_PARAMETERS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_PARAMETERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/executive/nt_types.h>

namespace doppel {

struct ProcessParameters {
  std::string image_path, command_line, current_directory, dll_path;
  std::vector<std::string> environment;  ///< "NAME=value"
  HandleValue standard_input = 0, standard_output = 0, standard_error = 0;
  std::uint32_t flags = 0;
  bool operator==(const ProcessParameters&) const = default;
};

/// Whether each of its strings fits the 16-bit byte count of a UNICODE_STRING, its terminator
/// included.
bool parameters_fit(const ProcessParameters& parameters);

/// The block with its strings and environment behind it, for the address `base`: pointers inside
/// are absolute. Only of parameters that fit.
std::vector<std::byte> build_parameters(const ProcessParameters& parameters, std::uint64_t base);
/// Bytes of that block.
std::size_t parameters_size(const ProcessParameters& parameters);

/// UTF-16 of UTF-8 and back, without a byte order mark; what is no text becomes U+FFFD.
std::u16string utf16_of(std::string_view text);
std::string utf8_of(std::u16string_view text);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_PARAMETERS_H_
