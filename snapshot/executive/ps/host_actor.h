// SPDX-License-Identifier: Apache-2.0
//
// A program outside the guest processor: a supervisor, a crash service, a dumper. It is a real
// process of the executive with its own handles, token and address space, in user mode; only its
// code is C++. Its blocking calls run the stepper until they are satisfied.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_HOST_ACTOR_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_HOST_ACTOR_H_

#include <string>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/se/protection.h>
#include <snapshot/executive/se/token.h>

namespace doppel {

/// An ordinary user at medium integrity, without privileges.
TokenData user_token(Sid user = "S-1-5-21-1-2-3-1001");
/// S-1-5-18 at system integrity with every privilege enabled.
TokenData system_token();

class HostActor {
 public:
  /// `executive` outlives the actor.
  HostActor(Executive& executive, std::string name, const TokenData& token = user_token(),
            Protection protection = {}, CallerMode mode = CallerMode::user);
  HostActor(const HostActor&) = delete;
  HostActor& operator=(const HostActor&) = delete;
  /// Ends its process: rundown closes what it left open.
  ~HostActor();

  NtApi& nt() { return nt_; }

  Process& process() const { return *process_; }

 private:
  ObjectRef<Process> process_;
  NtApi nt_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_HOST_ACTOR_H_
