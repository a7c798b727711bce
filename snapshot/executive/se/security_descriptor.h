// SPDX-License-Identifier: Apache-2.0
//
// Who may do what to an object: owner, discretionary list and integrity label. SIDs are canonical
// strings
// ("S-1-5-18"). Only data; the rules that read it are in se/access_check.h.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_SE_SECURITY_DESCRIPTOR_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_SE_SECURITY_DESCRIPTOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/executive/nt_types.h>

namespace doppel {

using Sid = std::string;

/// Mandatory integrity levels: the last number of S-1-16-N.
namespace integrity {
inline constexpr std::uint32_t low = 0x1000, medium = 0x2000, high = 0x3000, system = 0x4000;
}  // namespace integrity

struct AccessEntry {
  bool allow = true;
  AccessMask mask = 0;
  Sid sid;
  bool operator==(const AccessEntry&) const = default;
};

struct IntegrityLabel {
  static constexpr std::uint32_t kNoWriteUp = 1, kNoReadUp = 2;
  std::uint32_t level = integrity::medium;
  std::uint32_t policy = kNoWriteUp;
  bool operator==(const IntegrityLabel&) const = default;
};

struct SecurityDescriptor {
  Sid owner;
  std::optional<std::vector<AccessEntry>> dacl;  ///< absent: everybody; empty: nobody
  std::optional<IntegrityLabel> label;           ///< absent: medium, no write up
  bool operator==(const SecurityDescriptor&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_SE_SECURITY_DESCRIPTOR_H_
