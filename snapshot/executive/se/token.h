// SPDX-License-Identifier: Apache-2.0
//
// A token: who a process or thread acts as. The object only; what a token may open is decided in
// access_check.h.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_SE_TOKEN_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_SE_TOKEN_H_

#include <cstdint>
#include <vector>

#include <snapshot/executive/ob/object.h>
#include <snapshot/executive/se/security_descriptor.h>

namespace doppel {

enum class TokenKind : std::uint8_t { primary, impersonation };
enum class Privilege : std::uint8_t { debug, assign_primary_token, tcb };

struct TokenGroup {
  Sid sid;
  bool enabled = true;     ///< grants and denies
  bool deny_only = false;  ///< denies only, whatever `enabled` says
  bool operator==(const TokenGroup&) const = default;
};

struct TokenPrivilege {
  Privilege privilege = Privilege::debug;
  bool enabled = false;
  bool operator==(const TokenPrivilege&) const = default;
};

/// What a token says; copied when a token is duplicated or inherited.
struct TokenData {
  TokenKind kind = TokenKind::primary;
  Sid user;
  std::vector<TokenGroup> groups;
  std::vector<TokenPrivilege> privileges;
  std::uint32_t integrity_level = integrity::medium;

  bool has_enabled(Privilege privilege) const {
    for (const TokenPrivilege& held : privileges) {
      if (held.privilege == privilege && held.enabled) return true;
    }
    return false;
  }

  bool operator==(const TokenData&) const = default;
};

class Token final : public Object {
 public:
  Token(TokenData contents, Counters& counters)
      : Object(ObjectType::token, counters), data(std::move(contents)) {}

  TokenData data;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_SE_TOKEN_H_
