// SPDX-License-Identifier: Apache-2.0
//
// `doppel run -- COMMAND`: a service that is back within milliseconds of its crash, its dump
// written afterwards.
#ifndef DOPPEL_CLI_RUN_RUN_H_
#define DOPPEL_CLI_RUN_RUN_H_

#include <cli/console.h>
#include <cli/options.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// Returns the exit code of the service's last instance. When a signal ended that, doppel ends by
/// the same signal - except as process 1 of its namespace, which no signal of its own can end: then
/// it returns 128 + signal, as it does should it survive.
int run_command(const ServiceOptions& options, const Console& console, Sys& sys);

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_RUN_H_
