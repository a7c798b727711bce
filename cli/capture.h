// SPDX-License-Identifier: Apache-2.0
//
// `doppel capture`: from what the user asked for to a dump and a report. Read capture_command()
// first; it is the whole story in the order in which it happens.
#ifndef DOPPEL_CLI_CAPTURE_H_
#define DOPPEL_CLI_CAPTURE_H_

#include <cli/console.h>
#include <cli/exit_code.h>
#include <cli/options.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// Must run before the program has other threads (see SignalWatch).
ExitCode capture_command(const CaptureOptions& options, const Console& console, Sys& sys);

}  // namespace doppel

#endif  // DOPPEL_CLI_CAPTURE_H_
