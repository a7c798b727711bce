// SPDX-License-Identifier: Apache-2.0
//
// The descriptors that a process holds, described from the outside: none is opened, duplicated or
// asked a question, so a file on a server that no longer answers does not hold us up.
//
// It must not know what a capture does with the description.
#ifndef DOPPEL_SNAPSHOT_LINUX_HANDLE_SCAN_H_
#define DOPPEL_SNAPSHOT_LINUX_HANDLE_SCAN_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include <snapshot/linux/handle_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/model/handle.h>
#include <snapshot/support/result.h>

namespace doppel {

/// All handles, by number. Sockets are named by their addresses where the tables of the process's
/// network namespace can be read and are of reasonable size (64 MiB each); otherwise as the system
/// names them, "socket:[4711]". A descriptor that is closed meanwhile is left out.
///
/// Errc::denied when the list of descriptors is not ours to read; Errc::gone.
Result<std::vector<Handle>> scan_handles(const ProcDir& process);

/// The name that /proc/PID/fd/N shows, for each descriptor that is open throughout; without reading
/// fdinfo. Same errors.
Result<> for_each_descriptor(const ProcDir& process,
                             const std::function<void(int number, std::string_view link)>& take);

/// fdinfo of one descriptor. Errc::gone or Errc::unsupported (ENOENT) when it is closed.
Result<FdInfo> read_fdinfo(const ProcDir& process, int number);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_HANDLE_SCAN_H_
