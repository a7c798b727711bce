/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds what a second instance would need - a file opened for itself alone, a locked range, a named mutant -
 * and crashes with them in its hands. Exits with the refusing status when it does not get one of them.
 * Its handles are inheritable: whether a clone holds them too is the cloner's choice. */
#include "ntx.h"

static void* volatile nowhere;

__attribute__((noinline)) static ntstatus take(handle* file) {
  struct unicode_string name;
  struct object_attributes object;
  struct io_status io;
  u64 offset = 0, length = 16;
  handle mutant;
  ntstatus status = ntx_open(file, U("\\??\\C:\\data.bin"), 0, FILE_OPEN_IF, OBJ_INHERIT);
  if (status != STATUS_SUCCESS) return status;
  status = NTX(kServiceLockFile, *file, 0, 0, 0, &io, &offset, &length, 0, 1, 1);
  if (status != STATUS_SUCCESS) return status;
  ntx_name(&object, &name, U("\\BaseNamedObjects\\holder"), OBJ_INHERIT);
  return NTX(kServiceCreateMutant, &mutant, ALL_ACCESS, &object, 1);
}

__attribute__((noinline)) static void use(handle file) { *(volatile u64*)nowhere = file; }

ntstatus entry(struct peb* peb) {
  handle file = 0;
  (void)peb;
  ntstatus status = take(&file);
  if (status != STATUS_SUCCESS) ntx_exit(status);
  use(file);
  ntx_exit(STATUS_SUCCESS);
  return STATUS_SUCCESS;
}
