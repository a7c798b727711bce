// SPDX-License-Identifier: Apache-2.0
//
// The exit codes of the command: part of its contract, never renumbered. Scripts branch on them.
#ifndef DOPPEL_CLI_EXIT_CODE_H_
#define DOPPEL_CLI_EXIT_CODE_H_

namespace doppel {

enum class ExitCode : int {
  done = 0,
  failed = 1,
  usage = 2,
  with_losses = 3,  ///< captured, but something not asked for is missing, or the dump was cut short
  no_such_process = 4,
  not_permitted = 5,
};

}  // namespace doppel

#endif  // DOPPEL_CLI_EXIT_CODE_H_
