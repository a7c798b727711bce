/* SPDX-License-Identifier: Apache-2.0
 *
 * Dies in one way each, three calls below entry; built once per kind (CRASH_KIND). */
#include "ntx.h"

enum { kAv = 1, kDiv, kInt3, kUd2, kStack, kGuard };

volatile u64 sink;
volatile u32 zero;
static void* volatile nowhere;

__attribute__((noinline)) static u64 dig(u64 depth) {
  volatile u8 room[1024];
  room[depth % sizeof room] = (u8)depth;
  return dig(depth + 1) + room[depth % sizeof room];
}

__attribute__((noinline)) static u64 touch_guard(void) {
  void* base = 0;
  u64 size = 4096;
  ntstatus status = NTX(kServiceAllocateVirtualMemory, CURRENT_PROCESS, &base, 0, &size,
                        MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE | PAGE_GUARD);
  if (status != STATUS_SUCCESS) ntx_exit(status);
  return *(volatile u64*)base;
}

__attribute__((noinline)) static void crash(u32 kind) {
  switch (kind) {
    case kAv: *(volatile u64*)nowhere = 0x2a; break;
    case kDiv: sink = 42u / zero; break;
    case kInt3: __asm__ volatile("int3"); break;
    case kUd2: __asm__ volatile("ud2"); break;
    case kStack: sink = dig(kind); break;
    default: sink = touch_guard(); break;
  }
  sink = sink + 1;
}

__attribute__((noinline)) static void work(u32 kind) {
  crash(kind);
  sink = sink + 2;
}

ntstatus entry(struct peb* peb) {
  (void)peb;
  work(CRASH_KIND);
  ntx_exit(STATUS_SUCCESS);
  return STATUS_SUCCESS;
}
