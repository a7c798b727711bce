// SPDX-License-Identifier: Apache-2.0
//
// What the PAGE_ values allow, as pure functions: which accesses a protection lets through, which
// values a native call accepts, and what a section must have been created with for a view of it.
// It knows neither pages nor address spaces.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_PAGE_PROTECTION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_PAGE_PROTECTION_H_

#include <bit>
#include <cstdint>

#include <snapshot/executive/nt_types.h>

namespace doppel {

/// The values that an access violation reports in its first parameter.
enum class MemoryAccess : std::uint8_t { read = 0, write = 1, execute = 8 };

inline constexpr std::uint32_t kBaseProtections = 0xFF;

/// Whether `protect` is one base value, with PAGE_GUARD at most (not on PAGE_NOACCESS).
constexpr bool valid_protection(std::uint32_t protect) {
  if ((protect & ~(kBaseProtections | page::guard)) != 0) return false;
  if (std::popcount(protect & kBaseProtections) != 1) return false;
  return protect != (page::noaccess | page::guard);
}

constexpr bool is_write_copy(std::uint32_t protect) {
  return (protect & (page::writecopy | page::execute_writecopy)) != 0;
}

/// Writes that reach the section itself.
constexpr bool is_shared_write(std::uint32_t protect) {
  return (protect & (page::readwrite | page::execute_readwrite)) != 0;
}

constexpr bool is_executable(std::uint32_t protect) {
  return (protect & (page::execute | page::execute_read | page::execute_readwrite |
                     page::execute_writecopy)) != 0;
}

/// PAGE_GUARD plays no part; a write on a write-copy protection is allowed.
constexpr bool allows(std::uint32_t protect, MemoryAccess access) {
  const bool writes = is_write_copy(protect) || is_shared_write(protect);
  if (access == MemoryAccess::write) return writes;
  if (access == MemoryAccess::execute) return is_executable(protect);
  return writes || (protect & (page::readonly | page::execute_read)) != 0;
}

/// Write-copy once it is broken: 8 becomes 4, 80 becomes 40.
constexpr std::uint32_t broken_copy(std::uint32_t protect) {
  if ((protect & page::writecopy) != 0) return page::readwrite;
  if ((protect & page::execute_writecopy) != 0) return page::execute_readwrite;
  return protect;
}

/// READWRITE turned into its write-copy form.
constexpr std::uint32_t write_copy_of(std::uint32_t protect) {
  const std::uint32_t rest = protect & ~kBaseProtections;
  if ((protect & page::readwrite) != 0) return rest | page::writecopy;
  if ((protect & page::execute_readwrite) != 0) return rest | page::execute_writecopy;
  return protect;
}

/// Whether a view with `wanted` may be made of a section created with `section`: execution needs an
/// executable section, writing through needs a writable one.
constexpr bool section_permits(std::uint32_t section, std::uint32_t wanted) {
  if (is_executable(wanted) && !is_executable(section)) return false;
  return !is_shared_write(wanted) || is_shared_write(section);
}

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_PAGE_PROTECTION_H_
