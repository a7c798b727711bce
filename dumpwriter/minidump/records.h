// SPDX-License-Identifier: Apache-2.0
//
// Numbers of the minidump format, in spellings of our own, so that a file that includes LLVM's
// headers can include this one too. Sources: minidumpapiset.h (streams up to 0xffff), Breakpad's
// google_breakpad/common/minidump_format.h (0x4767....), rust-minidump's minidump-common
// (0x4d7a....). The last group is ours and never changes its meaning.
#ifndef DOPPEL_DUMPWRITER_MINIDUMP_RECORDS_H_
#define DOPPEL_DUMPWRITER_MINIDUMP_RECORDS_H_

#include <cstddef>
#include <cstdint>

namespace doppel::minidump {

inline constexpr std::uint32_t kSignature = 0x504d444d;  // "MDMP"
inline constexpr std::uint32_t kVersion = 0xa793;  // the low half; the high one is the writer's

namespace stream_type {
inline constexpr std::uint32_t kThreadList = 3;
inline constexpr std::uint32_t kModuleList = 4;
inline constexpr std::uint32_t kMemoryList = 5;
inline constexpr std::uint32_t kException = 6;
inline constexpr std::uint32_t kSystemInfo = 7;
inline constexpr std::uint32_t kMemory64List = 9;
inline constexpr std::uint32_t kCommentA = 10;
inline constexpr std::uint32_t kHandleData = 12;
inline constexpr std::uint32_t kMiscInfo = 15;
inline constexpr std::uint32_t kMemoryInfoList = 16;
inline constexpr std::uint32_t kThreadInfoList = 17;
inline constexpr std::uint32_t kThreadNames = 24;
inline constexpr std::uint32_t kLinuxProcStatus = 0x47670004;
inline constexpr std::uint32_t kLinuxCmdLine = 0x47670006;
inline constexpr std::uint32_t kLinuxAuxv = 0x47670008;
inline constexpr std::uint32_t kLinuxMaps = 0x47670009;
inline constexpr std::uint32_t kMozLinuxLimits = 0x4d7a0003;
inline constexpr std::uint32_t kMozSoftErrors = 0x4d7a0004;
// Ours: "DPL" and a number, the first two as the notes of our ELF cores.
inline constexpr std::uint32_t kManifest = 0x44504c01;     ///< JSON object, UTF-8
inline constexpr std::uint32_t kHandles = 0x44504c02;      ///< JSON array, UTF-8
inline constexpr std::uint32_t kRegisters = 0x44504c03;    ///< what CONTEXT has no place for
inline constexpr std::uint32_t kXsaveLayout = 0x44504c04;  ///< struct x86_xfeat_component[]
inline constexpr std::uint32_t kZeroRanges = 0x44504c05;   ///< u64 n, n * {u64 start, u64 size}
}  // namespace stream_type

/// Header::Flags (MINIDUMP_TYPE).
namespace header_flag {
inline constexpr std::uint64_t kFullMemory = 0x2;
inline constexpr std::uint64_t kHandleData = 0x4;
inline constexpr std::uint64_t kFullMemoryInfo = 0x800;
inline constexpr std::uint64_t kThreadInfo = 0x1000;
inline constexpr std::uint64_t kIgnoreInaccessible = 0x20000;
}  // namespace header_flag

inline constexpr std::uint16_t kArchitectureAmd64 = 9;
inline constexpr std::uint32_t kPlatformWindows = 2;
inline constexpr std::uint32_t kPlatformLinux = 0x8201;

inline constexpr std::size_t kHeaderSize = 32;
inline constexpr std::size_t kDirectorySize = 12;
inline constexpr std::size_t kContextSize = 1232;
inline constexpr std::size_t kMaxExceptionParameters = 15;

namespace memory_state {
inline constexpr std::uint32_t kCommit = 0x1000;
inline constexpr std::uint32_t kReserve = 0x2000;
inline constexpr std::uint32_t kFree = 0x10000;
}  // namespace memory_state

namespace memory_type {
inline constexpr std::uint32_t kPrivate = 0x20000;
inline constexpr std::uint32_t kMapped = 0x40000;
inline constexpr std::uint32_t kImage = 0x1000000;
}  // namespace memory_type

namespace page_protection {
inline constexpr std::uint32_t kNoAccess = 0x01;
inline constexpr std::uint32_t kReadOnly = 0x02;
inline constexpr std::uint32_t kReadWrite = 0x04;
inline constexpr std::uint32_t kWriteCopy = 0x08;
inline constexpr std::uint32_t kExecute = 0x10;
inline constexpr std::uint32_t kExecuteRead = 0x20;
inline constexpr std::uint32_t kExecuteReadWrite = 0x40;
inline constexpr std::uint32_t kExecuteWriteCopy = 0x80;
}  // namespace page_protection

/// Record of CodeView that names an ELF file by its build id (Breakpad), and a PDB.
inline constexpr std::uint32_t kCvElf = 0x4270454c;  // "BpEL"
inline constexpr std::uint32_t kCvPdb = 0x53445352;  // "RSDS"

}  // namespace doppel::minidump

#endif  // DOPPEL_DUMPWRITER_MINIDUMP_RECORDS_H_
