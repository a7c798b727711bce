// SPDX-License-Identifier: Apache-2.0
//
// Protected processes: which caller may have full rights on which target, and what is refused
// otherwise. Pure tables and one formula; the tables are the published RtlProtectedAccess
// (third-party reconstruction) whose process rows agree with Microsoft's documentation of process
// access rights.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_SE_PROTECTION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_SE_PROTECTION_H_

#include <cstdint>

#include <snapshot/executive/nt_types.h>

namespace doppel {

enum class ProtectionType : std::uint8_t { none = 0, light = 1, full = 2 };
enum class ProtectionSigner : std::uint8_t {
  none = 0,
  authenticode = 1,
  code_gen = 2,
  antimalware = 3,
  lsa = 4,
  windows = 5,
  win_tcb = 6,
  win_system = 7,
  app = 8,
};

/// PS_PROTECTION; the audit bit is not modelled.
struct Protection {
  ProtectionType type = ProtectionType::none;
  ProtectionSigner signer = ProtectionSigner::none;

  /// Type | Signer << 4.
  constexpr std::uint8_t byte() const {
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(type) |
                                     static_cast<std::uint8_t>(signer) << 4);
  }

  bool operator==(const Protection&) const = default;
};

/// Whether `caller` gets what it asks of `target`: an unprotected target says yes, a weaker type
/// no, else the signers decide.
bool dominates(Protection caller, Protection target);

/// The rights that a handle of user-mode origin to a process (a thread) of `target` never carries
/// when its maker is `caller`; 0 where dominates() says yes.
AccessMask denied_process_rights(Protection caller, Protection target);
AccessMask denied_thread_rights(Protection caller, Protection target);

/// Whether an image signed by `image` may run as `wanted`: its signer dominates the wanted one or
/// is the same.
bool signer_covers(ProtectionSigner image, ProtectionSigner wanted);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_SE_PROTECTION_H_
