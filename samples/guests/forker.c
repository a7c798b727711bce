/* SPDX-License-Identifier: Apache-2.0
 *
 * Forks itself the living way, NtCreateUserProcess without an image name. The child leaves its mark in its own
 * copy of memory and exits with 7; the parent waits, and exits with 0 only if its own memory has no mark. */
#include "ntx.h"

struct create_info {
  u64 size;
  u32 state, pad;
  u8 rest[0x48];
};
_Static_assert(sizeof(struct create_info) == 0x58, "layout of PS_CREATE_INFO");

volatile u64 mark;

__attribute__((noinline)) static ntstatus fork_self(handle* process, handle* thread) {
  struct create_info info;
  memset(&info, 0, sizeof info);
  info.size = sizeof info;
  return NTX(kServiceCreateUserProcess, process, thread, ALL_ACCESS, ALL_ACCESS, 0, 0, 4, 0, 0, &info, 0);
}

ntstatus entry(struct peb* peb) {
  handle process = 0, thread = 0;
  (void)peb;
  ntstatus status = fork_self(&process, &thread);
  if (status == STATUS_PROCESS_CLONED) {
    mark = 1;
    ntx_exit(7);
  }
  if (status != STATUS_SUCCESS) ntx_exit(status);
  status = NTX(kServiceWaitForSingleObject, process, 0, 0);
  if (status != STATUS_SUCCESS) ntx_exit(status);
  ntx_exit(mark == 0 ? STATUS_SUCCESS : 1);
  return STATUS_SUCCESS;
}
