// SPDX-License-Identifier: Apache-2.0
//
// What the gates that preflight found mean for the command: refuse and with which exit code, or go
// on, and with which engine.
#ifndef DOPPEL_CLI_PREFLIGHT_VERDICT_H_
#define DOPPEL_CLI_PREFLIGHT_VERDICT_H_

#include <optional>

#include <cli/exit_code.h>
#include <cli/message.h>
#include <snapshot/linux/preflight.h>
#include <snapshot/model/backend.h>

namespace doppel {

/// The exit code of a refusal because of this gate.
ExitCode exit_of_gate(const Gate& gate);

/// The gate as a refusal: what, why, remedy.
Message gate_message(const Gate& gate);

/// Why a capture with `engine` is refused; nothing when it may go on. Under Engine::automatic a
/// process that is already traced is refused like one that forbids everything: whoever debugs it
/// decides, and the remedy names `--engine direct`. Any other gate that stands against a clone
/// alone leaves the direct engine.
std::optional<Message> refusal(const Preflight& preflight, Engine engine);

/// The exit code of doctor: 0 nothing in the way, 1 impossible, 3 possible with losses, 4 no such
/// process, 5 not permitted.
ExitCode doctor_exit(const Preflight& preflight);

}  // namespace doppel

#endif  // DOPPEL_CLI_PREFLIGHT_VERDICT_H_
