// SPDX-License-Identifier: Apache-2.0
//
// Host actors: a process without an image, made by nobody.
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ps/host_actor.h>
#include <snapshot/executive/ps/process_exit.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {

TokenData user_token(Sid user) {
  TokenData token;
  token.user = std::move(user);
  token.groups = {{.sid = "S-1-1-0"}, {.sid = "S-1-5-32-545"}};
  return token;
}

TokenData system_token() {
  TokenData token;
  token.user = "S-1-5-18";
  token.groups = {{.sid = "S-1-1-0"}, {.sid = "S-1-5-32-544"}};
  token.privileges = {
      {Privilege::debug, true}, {Privilege::assign_primary_token, true}, {Privilege::tcb, true}};
  token.integrity_level = integrity::system;
  return token;
}

HostActor::HostActor(Executive& executive, std::string name, const TokenData& token,
                     Protection protection, CallerMode mode)
    : process_(new Process(executive, executive.take_id())),
      nt_(executive, {.process = process_.get(), .thread = nullptr, .mode = mode}) {
  process_->image_name = std::move(name);
  process_->protection = protection;
  process_->space = std::make_unique<AddressSpace>(executive.memory());
  process_->token = ObjectRef<Token>(new Token(token, executive.counters()));
  process_->token->set_security(default_object_security(token));
  process_->set_security(default_process_security(token));
  process_->self_access = process_access::all;
  process_->started = true;
}

HostActor::~HostActor() {
  end_process(*process_, status::success);
}

}  // namespace doppel
