// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cli/preflight_verdict.h>

namespace doppel {
namespace {

Gate gate(GateId id, Severity severity, bool overridable = false) {
  return {.id = id,
          .severity = severity,
          .what = "what",
          .why = "why",
          .remedy = "remedy",
          .overridable = overridable};
}

Preflight with(std::vector<Gate> gates) {
  Preflight preflight;
  preflight.pid = 4711;
  preflight.exists = true;
  preflight.gates = std::move(gates);
  return preflight;
}

TEST(preflight_verdict, nothing_in_the_way) {
  const Preflight preflight = with({gate(GateId::swapped, Severity::note)});
  for (const Engine engine : {Engine::automatic, Engine::clone, Engine::direct})
    EXPECT_EQ(refusal(preflight, engine), std::nullopt);
  EXPECT_EQ(doctor_exit(preflight), ExitCode::done);
}

TEST(preflight_verdict, what_forbids_all_is_refused_with_its_exit_code) {
  const std::pair<GateId, ExitCode> cases[] = {
      {GateId::no_process, ExitCode::no_such_process},
      {GateId::zombie, ExitCode::no_such_process},
      {GateId::thread_id, ExitCode::no_such_process},
      {GateId::ourselves, ExitCode::usage},
      {GateId::kernel_thread, ExitCode::failed},
      {GateId::foreign_architecture, ExitCode::failed},
      {GateId::other_user, ExitCode::not_permitted},
      {GateId::undumpable, ExitCode::not_permitted},
      {GateId::yama, ExitCode::not_permitted},
  };
  for (const auto& [id, exit] : cases) {
    const Preflight preflight = with({gate(id, Severity::forbids)});
    for (const Engine engine : {Engine::automatic, Engine::clone, Engine::direct}) {
      const auto message = refusal(preflight, engine);
      ASSERT_TRUE(message) << gate_name(id);
      EXPECT_EQ(*message, (Message{.exit = exit, .what = "what", .why = "why", .next = "remedy"}))
          << gate_name(id);
    }
    EXPECT_EQ(doctor_exit(preflight), exit == ExitCode::usage ? ExitCode::failed : exit);
  }
}

TEST(preflight_verdict, a_traced_process_is_left_to_its_tracer_unless_direct_is_asked_for) {
  const Preflight preflight = with({gate(GateId::traced, Severity::forbids_injection)});
  EXPECT_EQ(refusal(preflight, Engine::automatic)->exit, ExitCode::not_permitted);
  EXPECT_EQ(refusal(preflight, Engine::clone)->exit, ExitCode::not_permitted);
  EXPECT_EQ(refusal(preflight, Engine::direct), std::nullopt);
  EXPECT_EQ(doctor_exit(preflight), ExitCode::not_permitted);
}

TEST(preflight_verdict, what_forbids_a_clone_leaves_the_direct_engine) {
  const Preflight preflight = with({gate(GateId::seccomp, Severity::forbids_injection)});
  EXPECT_EQ(refusal(preflight, Engine::automatic), std::nullopt);
  EXPECT_EQ(refusal(preflight, Engine::clone)->exit, ExitCode::failed);
  EXPECT_EQ(refusal(preflight, Engine::direct), std::nullopt);
  EXPECT_EQ(doctor_exit(preflight), ExitCode::with_losses);
}

TEST(preflight_verdict, who_asks_for_a_clone_by_name_may_have_a_longer_pause) {
  const Preflight preflight =
      with({gate(GateId::pinned_memory, Severity::forbids_injection, true)});
  EXPECT_EQ(refusal(preflight, Engine::clone), std::nullopt);
}

TEST(preflight_verdict, losses_are_foretold) {
  EXPECT_EQ(doctor_exit(with({gate(GateId::wipe_on_fork, Severity::loses),
                              gate(GateId::secret_memory, Severity::loses)})),
            ExitCode::done)
      << "the process's own wish";
  EXPECT_EQ(doctor_exit(with({gate(GateId::dont_fork, Severity::loses)})), ExitCode::with_losses);
}

}  // namespace
}  // namespace doppel
