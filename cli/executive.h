// SPDX-License-Identifier: Apache-2.0
//
// `doppel executive run`: a program on the executive, its crash cloned, dumped and restarted; the
// story of it for people or, as one object, for programs.
#ifndef DOPPEL_CLI_EXECUTIVE_H_
#define DOPPEL_CLI_EXECUTIVE_H_

#include <cli/console.h>
#include <cli/exit_code.h>
#include <cli/options.h>
#include <snapshot/support/sys.h>

namespace doppel {

ExitCode executive_command(const ExecutiveRunOptions& options, const Console& console, Sys& sys);

}  // namespace doppel

#endif  // DOPPEL_CLI_EXECUTIVE_H_
