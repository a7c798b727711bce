// SPDX-License-Identifier: Apache-2.0
//
// `doppel convert`: a dump in, a dump of another format out, and what was lost on the way.
#ifndef DOPPEL_CLI_CONVERT_H_
#define DOPPEL_CLI_CONVERT_H_

#include <cli/console.h>
#include <cli/exit_code.h>
#include <cli/options.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// Must run before the program has other threads (see SignalWatch).
ExitCode convert_command(const ConvertOptions& options, const Console& console, Sys& sys);

}  // namespace doppel

#endif  // DOPPEL_CLI_CONVERT_H_
