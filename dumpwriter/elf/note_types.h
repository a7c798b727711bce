// SPDX-License-Identifier: Apache-2.0
//
// Numbers of the notes in our cores. The first two groups are the system's
// (include/uapi/linux/elf.h); the last is ours and never changes its meaning: a reader of any
// version may rely on it. Own spellings, so that a file that includes LLVM's ELF headers can
// include this one too.
#ifndef DOPPEL_DUMPWRITER_ELF_NOTE_TYPES_H_
#define DOPPEL_DUMPWRITER_ELF_NOTE_TYPES_H_

#include <cstdint>
#include <string_view>

namespace doppel {

namespace note_owner {
inline constexpr std::string_view kCore = "CORE";
inline constexpr std::string_view kLinux = "LINUX";
inline constexpr std::string_view kDoppel = "DOPPEL";
}  // namespace note_owner

namespace note_type {
// Owner "CORE".
inline constexpr std::uint32_t kPrstatus = 1;
inline constexpr std::uint32_t kPrfpreg = 2;
inline constexpr std::uint32_t kPrpsinfo = 3;
inline constexpr std::uint32_t kAuxv = 6;
inline constexpr std::uint32_t kFile = 0x46494c45;
inline constexpr std::uint32_t kSiginfo = 0x53494749;
// Owner "LINUX".
inline constexpr std::uint32_t k386Ioperm = 0x201;
inline constexpr std::uint32_t kX86Xstate = 0x202;
inline constexpr std::uint32_t kX86Shstk = 0x204;
inline constexpr std::uint32_t kX86XsaveLayout = 0x205;
// Owner "DOPPEL".
// "DPL" and a number: readers that print a type without looking at the owner would take a small one
// for a register set (eu-readelf 0.188 did).
inline constexpr std::uint32_t kManifest = 0x44504c01;  ///< JSON object, UTF-8, no trailing NUL
inline constexpr std::uint32_t kHandles = 0x44504c02;   ///< JSON array, UTF-8, no trailing NUL
}  // namespace note_type

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_ELF_NOTE_TYPES_H_
