// SPDX-License-Identifier: Apache-2.0
//
// The names of the statuses of nt_status.h, for traces and messages.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NT_STATUS_NAME_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NT_STATUS_NAME_H_

#include <string_view>

#include <snapshot/executive/nt_status.h>

namespace doppel {

/// As in ntstatus.h without STATUS_, such as "SHARING_VIOLATION"; "" for a value that the model
/// does not answer.
std::string_view nt_status_name(NtStatus status);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NT_STATUS_NAME_H_
