// SPDX-License-Identifier: Apache-2.0
//
// Why attaching is refused: security modules that this machine does not have are scripted, the rest
// is real (and in preflight_test).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <snapshot/linux/permission_check.h>
#include <snapshot/linux/preflight.h>
#include <tests/unit/snapshot/linux/child_process.h>
#include <tests/unit/snapshot/linux/scripted_sys.h>

namespace doppel {
namespace {

using testing::HasSubstr;

/// A refusal for a caller with these facts, of a target that is the test's own child.
class Refusal : public testing::Test {
 protected:
  Refusal() : child_([] { return true; }) {
    target_.uid = self_.status.uid = {1000, 1000, 1000, 1000};
    target_.gid = self_.status.gid = {1000, 1000, 1000, 1000};
    sys_.files["/sys/kernel/security/lsm"] = {.text = {}, .error = ENOENT};
  }

  Gate explain(std::optional<int> yama = std::nullopt, std::optional<bool> dumpable = true) {
    const auto dir = ProcDir::open(sys_, child_.pid());
    return explain_refusal(sys_, *dir, target_, self_, dumpable, yama, EACCES);
  }

  ChildProcess child_;
  ScriptedSys sys_;
  ProcStatus target_;
  SelfFacts self_;
};

TEST_F(Refusal, SaysWhatWhyAndWhatNext) {
  const Gate gate = explain(1);
  EXPECT_EQ(gate.id, GateId::yama);
  EXPECT_EQ(gate.severity, Severity::forbids);
  EXPECT_THAT(gate_line(gate), testing::StartsWith("attach to " + std::to_string(child_.pid()) +
                                                   ": not permitted (Yama ptrace_scope=1"));
  EXPECT_THAT(gate.remedy, HasSubstr("setcap cap_sys_ptrace+ep"));
  EXPECT_THAT(explain(2).why, HasSubstr("ptrace_scope=2: only CAP_SYS_PTRACE"));
}

TEST_F(Refusal, ScopeThreeBindsRootToo) {
  self_.status.capabilities_effective = 1ull << kCapSysPtrace;
  const Gate gate = explain(3);
  EXPECT_EQ(gate.id, GateId::yama);
  EXPECT_THAT(gate.remedy, HasSubstr("cannot be lowered"));
}

TEST_F(Refusal, UsersComeBeforeYama) {
  target_.uid = {0, 0, 0, 0};
  EXPECT_EQ(explain(1).id, GateId::other_user);
  EXPECT_THAT(explain(1).why, HasSubstr("user 0 and we are user 1000"));
  // A set-user-id program of our own.
  target_.uid = {1000, 0, 0, 0};
  EXPECT_THAT(explain(1).why, HasSubstr("changed its user"));
  target_.uid = self_.status.uid;
  target_.gid = {5, 5, 5, 5};
  EXPECT_EQ(explain(1).id, GateId::other_user);
  EXPECT_THAT(explain(1).why, HasSubstr("group ids"));
}

TEST_F(Refusal, DumpableComesBeforeCapabilities) {
  target_.capabilities_permitted = 1;
  EXPECT_EQ(explain(0, false).id, GateId::undumpable);
  EXPECT_EQ(explain(0, true).id, GateId::more_capabilities);
  target_.capabilities_permitted = 0x1ffffffffff;
  EXPECT_THAT(explain(0, true).why,
              HasSubstr("cap_chown, cap_dac_override, cap_dac_read_search and 38 more"));
}

TEST_F(Refusal, RootInAUserNamespaceIsToldSo) {
  self_.status.capabilities_effective = 1ull << kCapSysPtrace;
  self_.initial_user_namespace = false;
  EXPECT_EQ(explain().id, GateId::user_namespace);
}

TEST_F(Refusal, WhatIsLeftIsASecurityModule) {
  sys_.files["/sys/kernel/security/lsm"] = {.text = "lockdown,capability,apparmor\n"};
  sys_.files["attr/current"] = {.text = std::string("docker-default (enforce)\n\0", 26)};
  const Gate gate = explain(0);
  EXPECT_EQ(gate.id, GateId::security_module);
  EXPECT_THAT(gate.why, HasSubstr("active: lockdown,capability,apparmor"));
  EXPECT_THAT(gate.why, testing::EndsWith("label: docker-default (enforce)"));
}

TEST(PermissionCheck, ReadsYama) {
  ScriptedSys sys;
  sys.files["/proc/sys/kernel/yama/ptrace_scope"] = {.text = "2\n"};
  EXPECT_EQ(read_yama_scope(sys), 2);
  sys.files["/proc/sys/kernel/yama/ptrace_scope"] = {.text = {}, .error = ENOENT};
  EXPECT_EQ(read_yama_scope(sys), std::nullopt);
  sys.files["/proc/sys/kernel/yama/ptrace_scope"] = {.text = "x"};
  EXPECT_EQ(read_yama_scope(sys), std::nullopt);
}

TEST(PermissionCheck, TheKernelsRefusalIsExplainedByPreflight) {
  const ChildProcess child([] { return true; });
  ScriptedSys sys;
  sys.files["mem"] = {.text = {}, .error = EACCES};
  sys.files["/proc/sys/kernel/yama/ptrace_scope"] = {.text = "3\n"};
  const Preflight facts = preflight(sys, child.pid());
  EXPECT_FALSE(facts.may_attach);
  EXPECT_EQ(facts.yama_scope, 3);
  ASSERT_NE(facts.find(GateId::yama), nullptr);
  EXPECT_EQ(facts.forbidding()->id, GateId::yama);
  EXPECT_FALSE(facts.threads.empty()) << "what everybody may see is looked at all the same";
}

TEST(PermissionCheck, AFilteredPtraceLeavesTheDirectEngine) {
  const ChildProcess child([] { return true; });
  ScriptedSys sys;
  sys.hook = [](long number, long, long, long) -> std::optional<long> {
    if (number == SYS_ptrace) return -EPERM;
    return std::nullopt;
  };
  const Preflight facts = preflight(sys, child.pid());
  ASSERT_NE(facts.find(GateId::ptrace_blocked), nullptr);
  EXPECT_EQ(facts.forbidding_clone()->id, GateId::ptrace_blocked);
  EXPECT_EQ(facts.forbidding(), nullptr);
  EXPECT_TRUE(ptrace_answers(Sys::real()));
}

TEST(PermissionCheck, SuspensionNeedsTheKernelsHelp) {
  auto self = read_self(Sys::real());
  ASSERT_TRUE(self.has_value());
  self->status.capabilities_effective = ~0ull;
  self->status.seccomp = Seccomp::none;
  self->initial_user_namespace = true;
  ScriptedSys sys;
  long answer = 0;
  sys.hook = [&](long number, long, long, long) -> std::optional<long> {
    if (number == SYS_prctl) return answer;
    return std::nullopt;
  };
  EXPECT_TRUE(can_suspend_seccomp(sys, *self));
  answer = -EINVAL;  // no CONFIG_CHECKPOINT_RESTORE
  EXPECT_FALSE(can_suspend_seccomp(sys, *self));
  answer = 0;
  self->status.seccomp = Seccomp::filter;
  EXPECT_FALSE(can_suspend_seccomp(sys, *self));
  self->status.seccomp = Seccomp::none;
  self->initial_user_namespace = false;
  EXPECT_FALSE(can_suspend_seccomp(sys, *self));
  self->initial_user_namespace = true;
  self->status.capabilities_effective = 0;
  EXPECT_FALSE(can_suspend_seccomp(sys, *self));
}

TEST(PermissionCheck, HiddenProcessesAreNotMissing) {
  // /proc mounted with hidepid: the directory is not there, but a signal of 0 is refused.
  ScriptedSys sys;
  sys.files["/proc/4711"] = {.text = {}, .error = ENOENT};
  sys.hook = [](long number, long, long, long) -> std::optional<long> {
    if (number == SYS_kill) return -EPERM;
    return std::nullopt;
  };
  const Preflight facts = preflight(sys, 4711);
  ASSERT_NE(facts.forbidding(), nullptr);
  EXPECT_EQ(facts.forbidding()->id, GateId::other_user);
  EXPECT_THAT(facts.forbidding()->why, HasSubstr("hidepid"));
}

TEST(PermissionCheck, CapabilitiesComeBackEvenIfTheFirstTryFails) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const ChildProcess child([] { return true; });
  const auto own = [] {
    return parse_status(*read_system_file(Sys::real(), "/proc/thread-self/status"))
        ->capabilities_effective;
  };
  const std::uint64_t before = own();
  ScriptedSys sys;
  int sets = 0;
  sys.hook = [&](long number, long, long, long) -> std::optional<long> {
    if (number == SYS_capset && ++sets == 2) return -EIO;
    return std::nullopt;
  };
  const auto dir = ProcDir::open(sys, child.pid());
  const auto status = parse_status(*dir->read_text("status"));
  EXPECT_EQ(read_dumpable(sys, *dir, *status, *read_self(sys)), true);
  EXPECT_EQ(sets, 3);
  EXPECT_EQ(own(), before);
}

}  // namespace
}  // namespace doppel
