// SPDX-License-Identifier: Apache-2.0
//
// Messages of the service to its manager (sd_notify(3)). The manager takes them from the process
// that it started and from no other, so the service speaks to a socket of ours and we pass on what
// it says: READY, WATCHDOG, STATUS, descriptors for its store. What would make the manager take the
// service for the main process - MAINPID - is kept back.
#ifndef DOPPEL_CLI_RUN_NOTIFY_RELAY_H_
#define DOPPEL_CLI_RUN_NOTIFY_RELAY_H_

#include <optional>
#include <string>
#include <string_view>

#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

/// The message without the lines that are not the service's to say; may be empty.
std::string relayed_message(std::string_view message);

class NotifyRelay {
 public:
  /// `manager`: the value of our own NOTIFY_SOCKET, a path or "@NAME". Errors: it is none of these,
  /// or no socket can be made.
  static Result<NotifyRelay> open(Sys& sys, std::string_view manager);

  /// The service's NOTIFY_SOCKET.
  const std::string& address() const { return address_; }

  /// To be polled for reading.
  int fd() const { return socket_.get(); }

  /// Passes on what has come.
  void relay();
  /// A message of our own.
  void say(std::string_view message);

 private:
  explicit NotifyRelay(Sys& sys) : sys_(&sys) {}

  Sys* sys_;
  UniqueFd socket_;
  std::string address_;
  std::string manager_;
};

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_NOTIFY_RELAY_H_
