// SPDX-License-Identifier: Apache-2.0
//
// CreateProcessW, the two ways that it was built. Classic (before Vista): the creator's own code
// makes section, process, parameters, stack, context and thread by native calls, and needs the
// right to do each of these things to the child. Modern: one NtCreateUserProcess, and the kernel
// does them. Both are code of user mode; what follows the creation - the subsystem, the first
// instruction - is the same.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_WIN32_CREATE_PROCESS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_WIN32_CREATE_PROCESS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/win32/win32.h>

namespace doppel {

struct ProcessInformation {
  HandleValue process = 0, thread = 0;
  std::uint32_t process_id = 0, thread_id = 0;
};

struct CreateProcessRequest {
  std::optional<std::string> application;   ///< a path; absent: first word of the command line
  std::optional<std::string> command_line;  ///< absent: the application's path
  bool inherit_handles = false;
  bool suspended = false;          ///< CREATE_SUSPENDED
  bool protected_process = false;  ///< CREATE_PROTECTED_PROCESS; not with the classic way
  std::vector<std::string> environment = {};
  std::string current_directory = "C:\\";
  HandleValue standard_input = 0, standard_output = 0, standard_error = 0;
  bool classic = false;  ///< also under Nt60 and later; Nt52 knows no other way
  /// What PROC_THREAD_ATTRIBUTEs ask for; not with the classic way.
  std::optional<HandleValue> parent = {}, token = {};
  std::optional<std::vector<HandleValue>> handle_list = {};
  std::optional<std::uint8_t> protection_level = {};
  /// Stands for CSRSS, which is told of each new process before it runs.
  std::function<void(const ProcessInformation&)> subsystem = {};
  /// Classic: leave the stack out, as a creator that forgot it.
  bool without_stack = false;
};

/// 87 when neither application nor command line is given: Win32 has no way to say "clone". A
/// failure leaves no process behind. `native`, if given, gets the status behind the error.
Win32Error create_process(Win32& win32, const CreateProcessRequest& request,
                          ProcessInformation& made, NtStatus* native = nullptr);

/// The words of a command line, by the rules of CommandLineToArgvW.
std::vector<std::string> split_command_line(std::string_view line);
/// One word of a command line, quoted where those rules ask for it.
std::string quote_argument(std::string_view argument);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_WIN32_CREATE_PROCESS_H_
