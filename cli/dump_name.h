// SPDX-License-Identifier: Apache-2.0
//
// What a dump is called when the user did not say. The process's name is a stranger's choice: only
// letters that cannot leave the directory or upset a shell are taken from it.
#ifndef DOPPEL_CLI_DUMP_NAME_H_
#define DOPPEL_CLI_DUMP_NAME_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace doppel {

/// `comm` with everything outside of [A-Za-z0-9._-] as '_', and no dot or dash in front (a hidden
/// file, an option); "process" when nothing is left.
std::string reduce_comm(std::string_view comm);

/// "COMM.PID.YYYYMMDDTHHMMSSZ.core.zst", without ".zst" when not compressed. `seconds` since 1970
/// UTC. `kind` is "core", or "dmp" of a minidump.
/// From the second `attempt` (0, 1, ...) on the stamp is followed by "-ATTEMPT", for a second dump
/// of a process within one second.
std::string default_dump_name(std::string_view comm, std::int32_t pid, std::int64_t seconds,
                              bool compressed, unsigned attempt = 0,
                              std::string_view kind = "core");

/// Where `-o` leads: `given` is a directory if it exists as one (`is_directory`) or ends in '/';
/// the default name is then appended. `given` empty: the name alone, in the current directory.
std::string dump_path(std::string_view given, bool is_directory, std::string_view default_name);

}  // namespace doppel

#endif  // DOPPEL_CLI_DUMP_NAME_H_
