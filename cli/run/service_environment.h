// SPDX-License-Identifier: Apache-2.0
//
// What a service manager told doppel and means the service: LISTEN_PID and WATCHDOG_PID name the
// process that is to take the sockets and to send the pings, and that is another one at every
// start. Pure; runs in the child too, where only its own id is known.
#ifndef DOPPEL_CLI_RUN_SERVICE_ENVIRONMENT_H_
#define DOPPEL_CLI_RUN_SERVICE_ENVIRONMENT_H_

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace doppel {

/// `environment` ("NAME=VALUE" each) for a service with the process id `service`, as handed to
/// `doppel`. Variables that name doppel's own id name the service's; those that name somebody else
/// are not doppel's to give and stay. `notify`: what NOTIFY_SOCKET becomes; empty: it stays.
std::vector<std::string> service_environment(std::vector<std::string> environment, pid_t doppel,
                                             pid_t service, std::string_view notify);

/// Where the program is that a shell would run: `command` itself when it has a slash, else the
/// first in PATH that is a file and may be executed (`may_run`); empty when there is none.
template <class MayRun>
std::string find_program(std::string_view command, std::string_view path, MayRun may_run) {
  if (command.find('/') != std::string_view::npos) return std::string(command);
  while (true) {
    const std::size_t end = path.find(':');
    const std::string_view directory = path.substr(0, end);
    std::string candidate(directory.empty() ? "." : directory);
    candidate += '/';
    candidate += command;
    if (may_run(candidate)) return candidate;
    if (end == std::string_view::npos) return {};
    path.remove_prefix(end + 1);
  }
}

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_SERVICE_ENVIRONMENT_H_
