// SPDX-License-Identifier: Apache-2.0
//
// One instance of the service: started as a shell would start it, and watched from before its first
// instruction. Watching is seizing: nothing is stopped, no signal is sent.
#ifndef DOPPEL_CLI_RUN_SERVICE_H_
#define DOPPEL_CLI_RUN_SERVICE_H_

#include <sys/types.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

struct ServiceStart {
  std::vector<std::string> command;
  std::vector<std::string> environment;  ///< ours
  std::string notify;                    ///< the service's NOTIFY_SOCKET; empty: none of ours
  unsigned long trace_options = 0;
  sigset_t mask{};  ///< its signal mask: the one that we were started with
};

struct StartedService {
  pid_t pid = 0;
  std::optional<Error> unwatched;  ///< why it could not be seized: it runs all the same
};

/// Errors: Errc::os with the errno of exec (ENOENT, EACCES, ...), step "run"; or the fork failed.
Result<StartedService> start_service(Sys& sys, const ServiceStart& start);

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_SERVICE_H_
