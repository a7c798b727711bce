// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include <cli/preflight_verdict.h>

namespace doppel {

namespace {

/// What the process itself asked to have left out of any copy is missing, but no loss: a capture
/// says so and ends with exit code 0.
bool is_wish_of_the_process(GateId id) {
  return id == GateId::wipe_on_fork || id == GateId::secret_memory || id == GateId::dont_dump;
}

}  // namespace

ExitCode exit_of_gate(const Gate& gate) {
  // To name oneself, or a thread, is a slip on the command line and not a state of the system.
  if (gate.id == GateId::ourselves) return ExitCode::usage;
  if (gate.id == GateId::thread_id) return ExitCode::no_such_process;
  switch (gate_code(gate.id)) {
    case Errc::gone:
      return ExitCode::no_such_process;
    case Errc::denied:
      return ExitCode::not_permitted;
    default:
      return ExitCode::failed;
  }
}

Message gate_message(const Gate& gate) {
  return {.exit = exit_of_gate(gate), .what = gate.what, .why = gate.why, .next = gate.remedy};
}

std::optional<Message> refusal(const Preflight& preflight, Engine engine) {
  if (const Gate* gate = preflight.forbidding()) return gate_message(*gate);
  if (engine == Engine::direct) return std::nullopt;
  if (engine == Engine::automatic) {
    const Gate* traced = preflight.find(GateId::traced);
    if (traced != nullptr && traced->severity >= Severity::forbids_injection)
      return gate_message(*traced);
    return std::nullopt;
  }
  if (const Gate* gate = preflight.forbidding_clone(true)) return gate_message(*gate);
  return std::nullopt;
}

ExitCode doctor_exit(const Preflight& preflight) {
  if (const auto message = refusal(preflight, Engine::automatic)) {
    return message->exit == ExitCode::usage ? ExitCode::failed : message->exit;
  }
  const bool loses = std::ranges::any_of(preflight.gates, [](const Gate& gate) {
    return gate.severity >= Severity::loses && !is_wish_of_the_process(gate.id);
  });
  return loses ? ExitCode::with_losses : ExitCode::done;
}

}  // namespace doppel
