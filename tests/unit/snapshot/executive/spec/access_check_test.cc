// SPDX-License-Identifier: Apache-2.0
//
// The access check by itself: order of entries, groups, owner, labels, MAXIMUM_ALLOWED.
#include <gtest/gtest.h>

#include <snapshot/executive/ps/host_actor.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {
namespace {

constexpr AccessMask kRead = file_access::read_data, kWrite = file_access::write_data;

class AccessCheck : public ::testing::Test {
 protected:
  NtStatus ask(AccessMask desired) {
    return check_access(token, security, {.type = ObjectType::file, .desired = desired}, granted);
  }

  void entries(std::vector<AccessEntry> list) { security.dacl = std::move(list); }

  TokenData token = user_token("user");
  SecurityDescriptor security{.owner = "owner", .dacl = {}, .label = {}};
  AccessMask granted = 0;
};

TEST_F(AccessCheck, no_list_is_for_everybody_an_empty_one_for_nobody) {
  EXPECT_EQ(ask(kRead | kWrite), status::success);
  EXPECT_EQ(granted, kRead | kWrite);
  entries({});
  granted = 77;
  EXPECT_EQ(ask(kRead), status::access_denied);
  EXPECT_EQ(granted, 77u) << "untouched";
  token.user = "owner";
  EXPECT_EQ(ask(access::read_control | access::write_dac), status::success) << "the owner's own";
  EXPECT_EQ(ask(access::write_owner), status::access_denied);
}

TEST_F(AccessCheck, entries_count_in_their_order) {
  entries({{.allow = false, .mask = kWrite, .sid = "user"},
           {.allow = true, .mask = kRead | kWrite, .sid = "user"}});
  EXPECT_EQ(ask(kRead), status::success);
  EXPECT_EQ(ask(kWrite), status::access_denied);
  entries({{.allow = true, .mask = kRead | kWrite, .sid = "user"},
           {.allow = false, .mask = kWrite, .sid = "user"}});
  EXPECT_EQ(ask(kRead | kWrite), status::success) << "granted before it was denied";
  entries({{.allow = true, .mask = kRead, .sid = "user"},
           {.allow = true, .mask = kWrite, .sid = "S-1-1-0"}});
  EXPECT_EQ(ask(kRead | kWrite), status::success) << "grants add up";
}

TEST_F(AccessCheck, groups) {
  token.groups = {{.sid = "on"},
                  {.sid = "off", .enabled = false},
                  {.sid = "deny", .enabled = true, .deny_only = true}};
  entries({{.allow = true, .mask = kRead, .sid = "on"}});
  EXPECT_EQ(ask(kRead), status::success);
  entries({{.allow = true, .mask = kRead, .sid = "off"}});
  EXPECT_EQ(ask(kRead), status::access_denied);
  entries({{.allow = true, .mask = kRead, .sid = "deny"}});
  EXPECT_EQ(ask(kRead), status::access_denied);
  entries({{.allow = false, .mask = kRead, .sid = "deny"},
           {.allow = true, .mask = kRead, .sid = "on"}});
  EXPECT_EQ(ask(kRead), status::access_denied);
  entries(
      {{.allow = false, .mask = kRead, .sid = "off"}, {.allow = true, .mask = kRead, .sid = "on"}});
  EXPECT_EQ(ask(kRead), status::success) << "a group that is off denies nothing";
}

TEST_F(AccessCheck, generic_rights_mean_the_types_own) {
  entries({{.allow = true, .mask = access::generic_read, .sid = "user"}});
  EXPECT_EQ(ask(access::generic_read), status::success);
  EXPECT_EQ(granted, 0x120089u);
  EXPECT_EQ(ask(access::generic_write), status::access_denied);
  EXPECT_EQ(ask(access::maximum_allowed), status::success);
  EXPECT_EQ(granted, 0x120089u);
  EXPECT_EQ(ask(access::maximum_allowed | kWrite), status::access_denied)
      << "what is named must be there";
}

TEST_F(AccessCheck, labels_come_before_the_list) {
  security.label = IntegrityLabel{.level = integrity::high};
  EXPECT_EQ(ask(kRead), status::success) << "no write up does not hinder reading";
  EXPECT_EQ(ask(kWrite), status::access_denied);
  EXPECT_EQ(ask(access::maximum_allowed), status::success);
  EXPECT_EQ(granted & kWrite, 0u);
  security.label->policy = IntegrityLabel::kNoReadUp;
  EXPECT_EQ(ask(kRead), status::access_denied);
  EXPECT_EQ(ask(kWrite), status::success);
  token.integrity_level = integrity::high;
  EXPECT_EQ(ask(kRead | kWrite), status::success);
  // Without a label an object counts as medium, not to be written from below.
  security.label.reset();
  token.integrity_level = integrity::low;
  EXPECT_EQ(ask(kRead), status::success);
  EXPECT_EQ(ask(kWrite), status::access_denied);
  EXPECT_EQ(check_access(token, security,
                         {.type = ObjectType::file, .desired = kWrite, .labels = false}, granted),
            status::success);
}

TEST_F(AccessCheck, the_debug_privilege_is_for_processes_and_threads_only) {
  entries({});
  token.privileges = {{Privilege::debug, true}};
  EXPECT_EQ(ask(kRead), status::access_denied);
  AccessRequest request{.type = ObjectType::process, .desired = process_access::vm_read};
  EXPECT_EQ(check_access(token, security, request, granted), status::success);
  request.denied = process_access::vm_read;
  EXPECT_EQ(check_access(token, security, request, granted), status::access_denied)
      << "protection is not impressed";
  request.mode = CallerMode::kernel;
  EXPECT_EQ(check_access(token, security, request, granted), status::success);
}

TEST_F(AccessCheck, who_makes_an_object_gets_what_is_asked_for) {
  AccessRequest request{.type = ObjectType::process, .desired = access::maximum_allowed};
  EXPECT_EQ(check_create_access(request, granted), status::success);
  EXPECT_EQ(granted, process_access::all);
  request.denied = 0xFC7FE;
  EXPECT_EQ(check_create_access(request, granted), status::success);
  EXPECT_EQ(granted, 0x103801u);
  request.desired = process_access::query_information;
  EXPECT_EQ(check_create_access(request, granted), status::access_denied);
}

}  // namespace
}  // namespace doppel
