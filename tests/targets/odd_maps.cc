// SPDX-License-Identifier: Apache-2.0
//
// One mapping of every kind that a clone or a debugger treats in its own way. For each it says
// "NAME=ADDRESS SIZE"; a kind that this kernel does not offer is said as "NAME=none".
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include <tests/targets/victim.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static constexpr size_t kPage = 4096;
static constexpr size_t kSize = 16 * kPage;

static char* map(int protection, int flags, int fd = -1, size_t size = kSize) {
  void* at = mmap(nullptr, size, protection, flags, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

static void announce(const char* name, char* at, size_t size = kSize) {
  if (at == nullptr)
    victim::say("%s=none", name);
  else
    victim::say("%s=%p %zu", name, static_cast<void*>(at), size);
}

/// Every page begins with a word that names mapping and page.
static char* fill(char* at, unsigned long kind, size_t size = kSize) {
  if (at != nullptr)
    for (size_t i = 0; i < size; i += kPage)
      *reinterpret_cast<unsigned long*>(at + i) = kind << 32 | i;
  return at;
}

static void check(const char* name, char* at, unsigned long kind, size_t size = kSize) {
  if (at == nullptr) return;
  for (size_t i = 0; i < size; i += kPage)
    if (*reinterpret_cast<unsigned long*>(at + i) != (kind << 32 | i))
      victim::fail("%s changed at %zu", name, i);
}

int main() {
  const int writable = PROT_READ | PROT_WRITE;
  const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  char* plain = fill(map(writable, anonymous), 1);
  char* dont_fork = fill(map(writable, anonymous), 2);
  VICTIM_CHECK(madvise(dont_fork, kSize, MADV_DONTFORK) == 0);
  char* wipe = fill(map(writable, anonymous), 3);
  VICTIM_CHECK(madvise(wipe, kSize, MADV_WIPEONFORK) == 0);
  char* dont_dump = fill(map(writable, anonymous), 4);
  VICTIM_CHECK(madvise(dont_dump, kSize, MADV_DONTDUMP) == 0);
  char* shared_anonymous = fill(map(writable, MAP_SHARED | MAP_ANONYMOUS), 5);
  const int memory_fd = memfd_create("odd memfd", 0);
  VICTIM_CHECK(memory_fd >= 0 && ftruncate(memory_fd, kSize) == 0);
  char* shared_memfd = fill(map(writable, MAP_SHARED, memory_fd), 6);
  char file_name[] = "doppel-odd-XXXXXX";
  const int file = mkstemp(file_name);
  VICTIM_CHECK(file >= 0 && ftruncate(file, kSize) == 0);
  char* shared_file = fill(map(writable, MAP_SHARED, file), 7);
  const int segment = shmget(IPC_PRIVATE, kSize, IPC_CREAT | 0600);
  VICTIM_CHECK(segment >= 0);
  char* sysv = fill(static_cast<char*>(shmat(segment, nullptr, 0)), 8);
  shmctl(segment, IPC_RMID, nullptr);
  char* huge = map(writable, anonymous | MAP_HUGETLB, -1, 2 << 20);
  if (huge != nullptr) fill(huge, 9, 2 << 20);
  const int secret_fd = static_cast<int>(syscall(SYS_memfd_secret, 0));
  char* secret = nullptr;
  if (secret_fd >= 0 && ftruncate(secret_fd, kSize) == 0)
    secret = fill(map(writable, MAP_SHARED, secret_fd), 10);
  char* guarded = fill(map(writable, anonymous), 11);
  const bool guard = madvise(guarded + 4 * kPage, kPage, MADV_GUARD_INSTALL) == 0;
  char* none = fill(map(writable, anonymous), 12);
  VICTIM_CHECK(mprotect(none, kSize, PROT_NONE) == 0);
  char* reserved = map(PROT_NONE, anonymous | MAP_NORESERVE);
  char truncated_name[] = "doppel-odd-XXXXXX";
  const int cut = mkstemp(truncated_name);
  VICTIM_CHECK(cut >= 0 && ftruncate(cut, kSize) == 0);
  char* truncated = map(writable, MAP_SHARED, cut);
  VICTIM_CHECK(truncated != nullptr);
  fill(truncated, 13);
  VICTIM_CHECK(ftruncate(cut, static_cast<off_t>(4 * kPage)) == 0);
  unlink(truncated_name);
  // A private file mapping: half of it written, half read from the file; then one that is only
  // read.
  char private_name[] = "doppel-odd-XXXXXX";
  const int backing = mkstemp(private_name);
  VICTIM_CHECK(backing >= 0 && ftruncate(backing, kSize) == 0);
  for (size_t i = 0; i < kSize; i += kPage) {
    const unsigned long word = 14ul << 32 | i;
    VICTIM_CHECK(pwrite(backing, &word, sizeof word, static_cast<off_t>(i)) ==
                 static_cast<ssize_t>(sizeof word));
  }
  char* private_written = map(writable, MAP_PRIVATE, backing);
  VICTIM_CHECK(private_written != nullptr);
  for (size_t i = 0; i < kSize / 2; i += kPage)
    *reinterpret_cast<unsigned long*>(private_written + i) = 15ul << 32 | i;
  char* private_clean = map(PROT_READ, MAP_PRIVATE, backing);
  VICTIM_CHECK(private_clean != nullptr);
  char* sparse = map(writable, anonymous, -1, 8 << 20);
  VICTIM_CHECK(sparse != nullptr);
  *reinterpret_cast<unsigned long*>(sparse) = 16ul << 32;
  char* zero_touched = map(writable, anonymous);
  VICTIM_CHECK(zero_touched != nullptr);
  for (size_t i = 0; i < kSize; i += kPage) static_cast<volatile char*>(zero_touched)[i] = 0;
  char* sealed = fill(map(writable, anonymous), 18);
  const bool seal = syscall(SYS_mseal, sealed, kSize, 0) == 0;
  char* locked = fill(map(writable, anonymous), 19);
  mlock(locked, kSize);

  announce("plain", plain);
  announce("dont_fork", dont_fork);
  announce("wipe_on_fork", wipe);
  announce("dont_dump", dont_dump);
  announce("shared_anonymous", shared_anonymous);
  announce("shared_memfd", shared_memfd);
  announce("shared_file", shared_file);
  announce("sysv", sysv);
  announce("huge", huge, 2 << 20);
  announce("secret", secret);
  announce("guarded", guard ? guarded : nullptr);
  announce("none", none);
  announce("reserved", reserved);
  announce("truncated", truncated);
  announce("private_written", private_written);
  announce("private_clean", private_clean);
  announce("sparse", sparse, 8 << 20);
  announce("zero_touched", zero_touched);
  announce("sealed", seal ? sealed : nullptr);
  announce("locked", locked);
  victim::ready();
  victim::serve();
  unlink(file_name);
  unlink(private_name);
  check("plain", plain, 1);
  check("dont_fork", dont_fork, 2);
  check("wipe_on_fork", wipe, 3);
  check("dont_dump", dont_dump, 4);
  check("shared_anonymous", shared_anonymous, 5);
  check("shared_memfd", shared_memfd, 6);
  check("shared_file", shared_file, 7);
  check("sysv", sysv, 8);
  check("huge", huge, 9, 2 << 20);
  check("secret", secret, 10);
  VICTIM_CHECK(mprotect(none, kSize, PROT_READ) == 0);
  check("none", none, 12);
  check("truncated", truncated, 13, 4 * kPage);
  check("private_written", private_written, 15, kSize / 2);
  check("sealed", sealed, 18);
  check("locked", locked, 19);
  victim::finish_ok();
}
