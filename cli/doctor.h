// SPDX-License-Identifier: Apache-2.0
//
// `doppel doctor`: what stands in the way of a capture, and the remedy. Nothing is touched.
#ifndef DOPPEL_CLI_DOCTOR_H_
#define DOPPEL_CLI_DOCTOR_H_

#include <cli/console.h>
#include <cli/exit_code.h>
#include <cli/options.h>
#include <snapshot/support/sys.h>

namespace doppel {

ExitCode doctor_command(const DoctorOptions& options, const Console& console, Sys& sys);

}  // namespace doppel

#endif  // DOPPEL_CLI_DOCTOR_H_
