// SPDX-License-Identifier: Apache-2.0
#include <cli/run/service_environment.h>

namespace doppel {

std::vector<std::string> service_environment(std::vector<std::string> environment, pid_t doppel,
                                             pid_t service, std::string_view notify) {
  const std::string own = std::to_string(doppel);
  std::vector<std::string> result;
  result.reserve(environment.size());
  for (std::string& entry : environment) {
    const std::size_t equals = entry.find('=');
    const std::string_view name = std::string_view(entry).substr(0, equals);
    const std::string_view value =
        equals == std::string::npos ? "" : std::string_view(entry).substr(equals + 1);
    if ((name == "LISTEN_PID" || name == "WATCHDOG_PID") && value == own) {
      result.push_back(std::string(name) + "=" + std::to_string(service));
    } else if (name == "LISTEN_PIDFDID") {
      // Names doppel's process in a way that no child can (systemd 259): LISTEN_PID is enough.
    } else if (name == "NOTIFY_SOCKET" && !notify.empty()) {
      result.push_back("NOTIFY_SOCKET=" + std::string(notify));
    } else {
      result.push_back(std::move(entry));
    }
  }
  return result;
}

}  // namespace doppel
