// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <variant>
#include <vector>

#include <cli/doctor.h>
#include <cli/machine.h>
#include <cli/preflight_verdict.h>
#include <cli/process_table.h>
#include <cli/render/doctor.h>
#include <cli/render/json.h>
#include <snapshot/linux/planner.h>
#include <snapshot/linux/preflight.h>

namespace doppel {
namespace {

ExitCode print(const Console& console, const std::string& text, ExitCode exit) {
  if (console.out(text)) return exit;
  return console.complain(
      {.exit = ExitCode::failed, .what = "cannot write to stdout", .why = "", .next = ""});
}

Diagnosis diagnose(const Preflight& preflight) {
  Diagnosis diagnosis;
  diagnosis.pid = preflight.pid;
  if (preflight.exists) diagnosis.comm = preflight.stat.comm;
  diagnosis.executable = preflight.executable;
  diagnosis.threads = preflight.threads.size();
  diagnosis.mappings = preflight.regions.size();
  diagnosis.resident = preflight.status.resident.value_or(0);
  diagnosis.gates = preflight.gates;
  diagnosis.exit = doctor_exit(preflight);
  if (refusal(preflight, Engine::automatic)) return diagnosis;
  CaptureRequest request;
  request.target = preflight.pid;
  const Result<StopPlan> plan = plan_stop(preflight, request);
  if (!plan) return diagnosis;
  diagnosis.engine = plan->engine == Engine::clone ? "clone" : "direct";
  if (plan->attach) {
    diagnosis.predicted_pause =
        std::chrono::microseconds(static_cast<std::int64_t>(plan->predicted_pause_us));
  }
  return diagnosis;
}

}  // namespace

ExitCode doctor_command(const DoctorOptions& options, const Console& console, Sys& sys) {
  if (!options.target) {
    const std::vector<Check> checks = judge_machine(read_machine(sys));
    return print(console,
                 options.json ? machine_json(checks) : machine_text(checks, console.out_style()),
                 machine_exit(checks));
  }
  std::vector<ProcessEntry> candidates;
  const auto target = resolve_target(sys, *options.target, candidates);
  if (const auto* message = std::get_if<Message>(&target)) {
    if (candidates.size() > 1) console.err(candidates_text(candidates, console.err_columns()));
    if (options.json) (void)console.out(error_json(*message));
    return console.complain(*message);
  }
  const Diagnosis diagnosis = diagnose(preflight(sys, std::get<std::int32_t>(target)));
  return print(
      console,
      options.json ? diagnosis_json(diagnosis) : diagnosis_text(diagnosis, console.out_style()),
      diagnosis.exit);
}

}  // namespace doppel
