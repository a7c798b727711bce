// SPDX-License-Identifier: Apache-2.0
//
// The tables of protected processes, one row for each signer.
#include <array>
#include <cstddef>

#include <snapshot/executive/se/protection.h>

namespace doppel {
namespace {

struct SignerRow {
  std::uint32_t dominate;  ///< one bit for each signer
  AccessMask denied_process;
  AccessMask denied_thread;
};

constexpr std::array<SignerRow, 9> kSigners = {{
    {0x000, 0x00000, 0x00000},  // none
    {0x002, 0xFC7FE, 0xFE3FD},  // authenticode
    {0x004, 0xFC7FE, 0xFE3FD},  // code_gen
    {0x108, 0xFC7FF, 0xFE3FF},  // antimalware
    {0x110, 0xFC7FF, 0xFE3FF},  // lsa
    {0x13E, 0xFC7FE, 0xFE3FD},  // windows
    {0x17E, 0xFC7FF, 0xFE3FF},  // win_tcb
    {0x1FE, 0xFC7FF, 0xFF7FF},  // win_system
    {0x000, 0xFC6FE, 0xFE3FD},  // app
}};

const SignerRow& row(ProtectionSigner signer) {
  return kSigners[static_cast<std::size_t>(signer)];
}

bool has_bit(std::uint32_t mask, ProtectionSigner signer) {
  return (mask >> static_cast<unsigned>(signer) & 1) != 0;
}

}  // namespace

bool dominates(Protection caller, Protection target) {
  if (target.type == ProtectionType::none) return true;
  if (caller.type < target.type) return false;
  return has_bit(row(caller.signer).dominate, target.signer);
}

AccessMask denied_process_rights(Protection caller, Protection target) {
  return dominates(caller, target) ? 0 : row(target.signer).denied_process;
}

AccessMask denied_thread_rights(Protection caller, Protection target) {
  return dominates(caller, target) ? 0 : row(target.signer).denied_thread;
}

bool signer_covers(ProtectionSigner image, ProtectionSigner wanted) {
  return image == wanted || has_bit(row(image).dominate, wanted);
}

}  // namespace doppel
