// SPDX-License-Identifier: Apache-2.0
//
// The command line: judged in arguments.cc, then one command runs. Nothing else happens here.
#include <cstdio>
#include <new>
#include <string>
#include <variant>
#include <vector>

#include <cli/arguments.h>
#include <cli/capture.h>
#include <cli/console.h>
#include <cli/convert.h>
#include <cli/doctor.h>
#include <cli/executive.h>
#include <cli/run/run.h>

namespace doppel {
namespace {

ExitCode say(const std::string& text) {
  const Console console(ColorChoice::automatic);
  if (console.out(text)) return ExitCode::done;
  return console.complain(
      {.exit = ExitCode::failed, .what = "cannot write to stdout", .why = "", .next = ""});
}

ExitCode run(const Command& command) {
  if (const auto* asked = std::get_if<Say>(&command)) return say(asked->text);
  if (const auto* options = std::get_if<DoctorOptions>(&command))
    return doctor_command(*options, Console(options->color), Sys::real());
  if (const auto* options = std::get_if<CaptureOptions>(&command))
    return capture_command(*options, Console(options->color), Sys::real());
  if (const auto* options = std::get_if<ConvertOptions>(&command))
    return convert_command(*options, Console(options->color), Sys::real());
  if (const auto* options = std::get_if<ExecutiveRunOptions>(&command))
    return executive_command(*options, Console(options->color), Sys::real());
  return Console(ColorChoice::automatic).complain(std::get<Message>(command));
}

}  // namespace
}  // namespace doppel

int main(int count, char** words) try {
  const std::vector<std::string> arguments(words + (count > 0 ? 1 : 0), words + count);
  const doppel::Command command = doppel::parse_arguments(arguments);
  // Its exit code is the service's, and no ExitCode.
  if (const auto* options = std::get_if<doppel::ServiceOptions>(&command))
    return doppel::run_command(*options, doppel::Console(options->color), doppel::Sys::real());
  return static_cast<int>(doppel::run(command));
} catch (const std::bad_alloc&) {
  // Whatever was begun has been taken back on the way here.
  std::fputs("doppel: out of memory (RLIMIT_AS, or the machine's); raise the limit (ulimit -v)\n",
             stderr);
  return 1;
}
