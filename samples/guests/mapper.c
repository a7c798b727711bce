/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps one view of each kind - private memory, a pagefile section shared and not inherited, a file read-only
 * and write-copy - keeps their addresses in `views`, writes a stamp where it may, and goes on stamping. */
#include "ntx.h"

enum { kPrivate, kShared, kUnmapped, kFile, kWriteCopy, kViews };

void* views[kViews];
volatile u64 ready;

__attribute__((noinline)) static ntstatus map(handle section, u32 place, u32 inherit, u32 protection) {
  u64 size = 4096;
  return NTX(kServiceMapViewOfSection, section, CURRENT_PROCESS, &views[place], 0, 0, 0, &size, inherit, 0,
             protection);
}

__attribute__((noinline)) static ntstatus map_all(void) {
  handle pagefile = 0, file = 0, data = 0;
  u64 size = 4096;
  struct io_status io;
  static const u8 content[4096] = {1, 2, 3};
  ntstatus status = NTX(kServiceAllocateVirtualMemory, CURRENT_PROCESS, &views[kPrivate], 0, &size,
                        MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
  if (status == STATUS_SUCCESS)
    status = NTX(kServiceCreateSection, &pagefile, ALL_ACCESS, 0, &size, PAGE_READWRITE, SEC_COMMIT, 0);
  if (status == STATUS_SUCCESS) status = map(pagefile, kShared, VIEW_SHARE, PAGE_READWRITE);
  if (status == STATUS_SUCCESS) status = map(pagefile, kUnmapped, VIEW_UNMAP, PAGE_READWRITE);
  if (status == STATUS_SUCCESS)
    status = ntx_open(&file, U("\\??\\C:\\mapped.bin"), FILE_SHARE_READ, FILE_OVERWRITE_IF, 0);
  if (status == STATUS_SUCCESS)
    status = NTX(kServiceWriteFile, file, 0, 0, 0, &io, content, sizeof content, 0, 0);
  if (status == STATUS_SUCCESS)
    status = NTX(kServiceCreateSection, &data, ALL_ACCESS, 0, 0, PAGE_READONLY, SEC_COMMIT, file);
  if (status == STATUS_SUCCESS) status = map(data, kFile, VIEW_SHARE, PAGE_READONLY);
  if (status == STATUS_SUCCESS) status = map(data, kWriteCopy, VIEW_SHARE, PAGE_WRITECOPY);
  return status;
}

ntstatus entry(struct peb* peb) {
  (void)peb;
  ntstatus status = map_all();
  if (status != STATUS_SUCCESS) ntx_exit(status);
  for (u64 stamp = 1;; ++stamp) {
    *(volatile u64*)views[kPrivate] = stamp;
    *(volatile u64*)views[kShared] = stamp;
    *(volatile u64*)views[kWriteCopy] = stamp;
    ready = stamp;
    __builtin_ia32_pause();
  }
}
