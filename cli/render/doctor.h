// SPDX-License-Identifier: Apache-2.0
//
// What the doctor found, for people and for programs.
#ifndef DOPPEL_CLI_RENDER_DOCTOR_H_
#define DOPPEL_CLI_RENDER_DOCTOR_H_

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <cli/exit_code.h>
#include <cli/machine.h>
#include <cli/render/style.h>
#include <snapshot/linux/gate.h>

namespace doppel {

struct Diagnosis {
  std::int32_t pid = 0;
  std::string comm;  ///< empty when there is no such process
  std::string executable;
  std::string engine;  ///< "clone", "direct"; empty: a capture is refused
  std::optional<std::chrono::microseconds> predicted_pause;  ///< of a clone
  std::uint64_t threads = 0;
  std::uint64_t mappings = 0;
  std::uint64_t resident = 0;  ///< bytes
  std::vector<Gate> gates;     ///< the gravest first
  ExitCode exit = ExitCode::done;
};

std::string diagnosis_text(const Diagnosis& diagnosis, const Style& style);
/// {"schema":1,"pid","comm","executable","exit","engine":null|NAME,"predicted_pause_us":null|N,
/// "threads","regions","memory_bytes","gates":[{"gate","severity","what","why","remedy"}]}
std::string diagnosis_json(const Diagnosis& diagnosis);

std::string machine_text(const std::vector<Check>& checks, const Style& style);
/// {"schema":1,"exit","checks":[{"check","good","severity":null|NAME,"what","why","remedy"}]}
std::string machine_json(const std::vector<Check>& checks);

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_DOCTOR_H_
