// SPDX-License-Identifier: Apache-2.0
/*
 * What a guest of the executive model has instead of a C library: the types and constants of the
 * native API, and one function for any service. A guest is a plain PE32+ image without imports;
 * `entry` gets the PEB. */
#ifndef DOPPEL_SAMPLES_GUESTS_NTX_H_
#define DOPPEL_SAMPLES_GUESTS_NTX_H_

#include <guest_services.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
typedef u64 handle;
typedef u32 ntstatus;

#define STATUS_SUCCESS 0u
#define STATUS_PROCESS_CLONED 0x129u

#define CURRENT_PROCESS ((handle) - 1)
#define CURRENT_THREAD ((handle) - 2)

#define GENERIC_READ 0x80000000u
#define GENERIC_WRITE 0x40000000u
#define SYNCHRONIZE 0x100000u
#define DELETE_ACCESS 0x10000u
#define ALL_ACCESS 0x2000000u /* MAXIMUM_ALLOWED */

#define FILE_SHARE_READ 1u
#define FILE_OPEN 1u
#define FILE_CREATE 2u
#define FILE_OPEN_IF 3u
#define FILE_OVERWRITE_IF 5u

#define OBJ_INHERIT 2u
#define OBJ_CASE_INSENSITIVE 0x40u

#define MEM_COMMIT 0x1000u
#define MEM_RESERVE 0x2000u
#define PAGE_READONLY 2u
#define PAGE_READWRITE 4u
#define PAGE_WRITECOPY 8u
#define PAGE_GUARD 0x100u
#define SEC_COMMIT 0x8000000u
#define VIEW_SHARE 1u
#define VIEW_UNMAP 2u

struct unicode_string {
  u16 length, maximum; /* bytes */
  const u16* buffer;
};

struct object_attributes {
  u32 length;
  handle root;
  struct unicode_string* name;
  u32 attributes;
  void *security, *quality;
};

struct io_status {
  u64 status, information;
};

struct parameters { /* RTL_USER_PROCESS_PARAMETERS, as far as guests look */
  u8 head[0x60];
  struct unicode_string image;        /* 60h */
  struct unicode_string command_line; /* 70h */
  u16* environment;                   /* 80h */
};

struct peb {
  u8 inherited_address_space;
  u8 head[0x0f];
  void* image_base; /* 10h */
  u8 loader[8];
  struct parameters* parameters; /* 20h */
};

_Static_assert(__builtin_offsetof(struct parameters, command_line) == 0x70,
               "layout of the parameters");
_Static_assert(__builtin_offsetof(struct peb, parameters) == 0x20, "layout of the PEB");

/* Any service; arguments beyond `a` that the service does not have are ignored. */
ntstatus ntx_call(u64 service, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f, u64 g, u64 h, u64 i, u64 j,
                  u64 k);

#define NTX_PICK(s, a, b, c, d, e, f, g, h, i, j, k, ...)                                     \
  ntx_call(s, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f), (u64)(g), (u64)(h), \
           (u64)(i), (u64)(j), (u64)(k))
/* NTX(kServiceClose, handle): missing arguments are 0. */
#define NTX(...) NTX_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

void* memset(void* to, int value, u64 size);
void* memcpy(void* to, const void* from, u64 size);

/* Ends the process; does not come back. */
void ntx_exit(ntstatus status);

/* Object attributes for `path` (NUL-ended, 16-bit), with storage of the caller. */
void ntx_name(struct object_attributes* to, struct unicode_string* name, const u16* path,
              u32 attributes);

/* NtCreateFile for reading and writing; the status, and the handle in *file. */
ntstatus ntx_open(handle* file, const u16* path, u32 share, u32 disposition, u32 attributes);

#define U(text) ((const u16*)u##text)

#endif /* DOPPEL_SAMPLES_GUESTS_NTX_H_ */
