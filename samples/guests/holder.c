/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds what a second instance would need - a file opened for itself alone, a locked range, a named mutant -
 * and crashes with them in its hands. Exits with the refusing status when it does not get one of them.
 * Argument "inherit" (after the program's name) makes the file's handle inheritable. */
#include "ntx.h"

static void* volatile nowhere;

static int asked_to_inherit(const struct peb* peb) {
  static const u16 word[] = {'i', 'n', 'h', 'e', 'r', 'i', 't'};
  const struct unicode_string* line = &peb->parameters->command_line;
  u64 length = line->length / 2;
  u64 wanted = sizeof word / sizeof word[0];
  if (length < wanted) return 0;
  for (u64 i = 0; i < wanted; ++i)
    if (line->buffer[length - wanted + i] != word[i]) return 0;
  return 1;
}

__attribute__((noinline)) static ntstatus take(handle* file, u32 attributes) {
  struct unicode_string name;
  struct object_attributes object;
  struct io_status io;
  u64 offset = 0, length = 16;
  handle mutant;
  ntstatus status = ntx_open(file, U("\\??\\C:\\data.bin"), 0, FILE_OPEN_IF, attributes);
  if (status != STATUS_SUCCESS) return status;
  status = NTX(kServiceLockFile, *file, 0, 0, 0, &io, &offset, &length, 0, 1, 1);
  if (status != STATUS_SUCCESS) return status;
  ntx_name(&object, &name, U("\\BaseNamedObjects\\holder"), attributes);
  return NTX(kServiceCreateMutant, &mutant, ALL_ACCESS, &object, 1);
}

__attribute__((noinline)) static void use(handle file) { *(volatile u64*)nowhere = file; }

ntstatus entry(struct peb* peb) {
  handle file = 0;
  ntstatus status = take(&file, asked_to_inherit(peb) ? OBJ_INHERIT : 0);
  if (status != STATUS_SUCCESS) ntx_exit(status);
  use(file);
  ntx_exit(STATUS_SUCCESS);
  return STATUS_SUCCESS;
}
