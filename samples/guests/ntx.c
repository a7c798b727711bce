/* SPDX-License-Identifier: Apache-2.0
 *
 * The little that every guest is linked with. memset, memcpy and __chkstk are what the compiler itself calls. */
#include "ntx.h"

/* Optimised, the loop would be recognised as memset and call itself; -fno-builtin keeps it a loop. */
void* memset(void* to, int value, u64 size) {
  u8* bytes = to;
  for (u64 i = 0; i < size; ++i) bytes[i] = (u8)value;
  return to;
}

void* memcpy(void* to, const void* from, u64 size) {
  u8* bytes = to;
  const u8* source = from;
  for (u64 i = 0; i < size; ++i) bytes[i] = source[i];
  return to;
}

/* rax = size of a frame of more than a page: touch each page downwards, so that the guard page moves along.
 * Keeps every register, as the compiler expects. */
__attribute__((naked)) void __chkstk(void) {
  __asm__ volatile(
      "pushq %rcx\n\t"
      "pushq %rax\n\t"
      "leaq 24(%rsp), %rcx\n\t"
      "1: cmpq $4096, %rax\n\t"
      "jb 2f\n\t"
      "subq $4096, %rcx\n\t"
      "orq $0, (%rcx)\n\t"
      "subq $4096, %rax\n\t"
      "jmp 1b\n\t"
      "2: subq %rax, %rcx\n\t"
      "orq $0, (%rcx)\n\t"
      "popq %rax\n\t"
      "popq %rcx\n\t"
      "ret");
}

/* The compiler's frame around an asm statement has no fixed place for the fifth argument, so the stub is
 * written out: on entry rcx = service, rdx r8 r9 = a b c, [rsp+28h].. = d e f ..; SYSCALL wants
 * r10 rdx r8 r9 = a b c d and [rsp+28h].. = e f ... The return address and the first home slot move the
 * arguments by one place exactly when rsp moves up by 8; so the stub keeps the return address in a
 * register that calls may lose and the service keeps: there is none but the ones SYSCALL spares, hence a frame. */
__attribute__((naked)) ntstatus ntx_call(u64 service, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f, u64 g, u64 h,
                                         u64 i, u64 j, u64 k) {
  __asm__ volatile(
      ".seh_proc ntx_call\n\t"
      "subq $0x68, %rsp\n\t"
      ".seh_stackalloc 0x68\n\t"
      ".seh_endprologue\n\t"
      "movq %rcx, %rax\n\t"
      "movq 0x98(%rsp), %r10\n\t" /* e: home of the fifth argument is 28h above the old rsp, e the next */
      "movq %r10, 0x28(%rsp)\n\t"
      "movq 0xa0(%rsp), %r10\n\t"
      "movq %r10, 0x30(%rsp)\n\t"
      "movq 0xa8(%rsp), %r10\n\t"
      "movq %r10, 0x38(%rsp)\n\t"
      "movq 0xb0(%rsp), %r10\n\t"
      "movq %r10, 0x40(%rsp)\n\t"
      "movq 0xb8(%rsp), %r10\n\t"
      "movq %r10, 0x48(%rsp)\n\t"
      "movq 0xc0(%rsp), %r10\n\t"
      "movq %r10, 0x50(%rsp)\n\t"
      "movq 0xc8(%rsp), %r10\n\t"
      "movq %r10, 0x58(%rsp)\n\t"
      "movq %rdx, %r10\n\t"
      "movq %r8, %rdx\n\t"
      "movq %r9, %r8\n\t"
      "movq 0x90(%rsp), %r9\n\t"
      "syscall\n\t"
      "addq $0x68, %rsp\n\t"
      "retq\n\t"
      ".seh_endproc");
}

void ntx_exit(ntstatus status) {
  for (;;) NTX(kServiceTerminateProcess, CURRENT_PROCESS, status);
}

void ntx_name(struct object_attributes* to, struct unicode_string* name, const u16* path, u32 attributes) {
  u16 length = 0;
  while (path[length] != 0) ++length;
  name->length = (u16)(length * 2);
  name->maximum = (u16)(length * 2 + 2);
  name->buffer = path;
  to->length = sizeof *to;
  to->root = 0;
  to->name = name;
  to->attributes = attributes | OBJ_CASE_INSENSITIVE;
  to->security = 0;
  to->quality = 0;
}

ntstatus ntx_open(handle* file, const u16* path, u32 share, u32 disposition, u32 attributes) {
  struct unicode_string name;
  struct object_attributes object;
  struct io_status io;
  ntx_name(&object, &name, path, attributes);
  return NTX(kServiceCreateFile, file, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &object, &io, 0, 0, share,
             disposition, 0, 0, 0);
}
