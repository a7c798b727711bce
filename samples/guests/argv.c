/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes its command line and environment, as it finds them through the PEB, to C:\argv.out: 16-bit text, the
 * line, a NUL, then the environment's strings with theirs. */
#include "ntx.h"

static ntstatus put(handle file, const void* bytes, u64 size) {
  struct io_status io;
  return NTX(kServiceWriteFile, file, 0, 0, 0, &io, bytes, size, 0, 0);
}

ntstatus entry(struct peb* peb) {
  static const u16 nul;
  const struct parameters* given = peb->parameters;
  handle file = 0;
  ntstatus status = ntx_open(&file, U("\\??\\C:\\argv.out"), FILE_SHARE_READ, FILE_OVERWRITE_IF, 0);
  if (status == STATUS_SUCCESS) status = put(file, given->command_line.buffer, given->command_line.length);
  if (status == STATUS_SUCCESS) status = put(file, &nul, sizeof nul);
  if (status == STATUS_SUCCESS && given->environment != 0) {
    u64 length = 0;
    while (given->environment[length] != 0 || given->environment[length + 1] != 0) ++length;
    status = put(file, given->environment, (length + 1) * 2);
  }
  NTX(kServiceClose, file);
  ntx_exit(status);
  return status;
}
