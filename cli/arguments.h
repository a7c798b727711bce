// SPDX-License-Identifier: Apache-2.0
//
// argv in, a command out. Everything that can be judged without looking at the system is judged
// here, so that a slip in an option costs nothing. The option parser (CLI11) is included by
// arguments.cc alone: its header takes seconds to compile.
#ifndef DOPPEL_CLI_ARGUMENTS_H_
#define DOPPEL_CLI_ARGUMENTS_H_

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <cli/message.h>
#include <cli/options.h>

namespace doppel {

/// Text that was asked for: help, version. Goes to stdout; exit code 0.
struct Say {
  std::string text;
  bool operator==(const Say&) const = default;
};

/// The Message is a usage error (exit code 2), complete with what to try.
using Command = std::variant<CaptureOptions, ConvertOptions, DoctorOptions, ExecutiveRunOptions,
                             ServiceOptions, Say, Message>;

/// Judges the command line; `arguments` excludes the program's name. Never throws, prints or exits.
Command parse_arguments(std::span<const std::string> arguments);

/// The verbs of this build.
std::span<const std::string_view> verbs();

/// Every long option of a verb, with its dashes, in no particular order; for the tests that hold
/// help text and manual page to the parser.
std::vector<std::string> option_names(std::string_view verb);

}  // namespace doppel

#endif  // DOPPEL_CLI_ARGUMENTS_H_
