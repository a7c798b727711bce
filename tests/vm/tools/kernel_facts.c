// SPDX-License-Identifier: Apache-2.0
//
// Says which kernel interfaces that doppel probes for exist here, one "NAME yes|no" a line: a case
// compares it with what the kernel's age promises, so that a fallback that was never taken does not
// count as tested.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// From the newest headers; this file is built with old ones.
struct scan_argument {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_argument)  // PAGEMAP_SCAN, Linux 6.7 (52526ca7fdb9)

struct procmap_query {
  uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size, vma_offset,
      inode;
  uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
  uint64_t vma_name_addr, build_id_addr;
};

#define QUERY_IOCTL \
  _IOWR('f', 17, struct procmap_query)  // PROCMAP_QUERY, Linux 6.11 (ed5d583a88a9)

static void fact(const char* name, int present) {
  printf("%s %s\n", name, present ? "yes" : "no");
}

static int call_exists(long number) {
  return syscall(number, -1, -1, -1, -1, -1, -1) != -1 || errno != ENOSYS;
}

static int pagemap_scan(void) {
  static char page[8192] __attribute__((aligned(4096)));
  uint64_t regions[3];
  page[0] = 1;
  struct scan_argument argument = {.size = sizeof argument,
                                   .start = (uintptr_t)page & ~4095ul,
                                   .vec_len = 1,
                                   .category_mask = 1u << 3 /* PAGE_IS_PRESENT */,
                                   .return_mask = 1u << 3};
  argument.end = argument.start + 4096;
  argument.vec = (uintptr_t)regions;
  int file = open("/proc/self/pagemap", O_RDONLY);
  int answer = ioctl(file, SCAN_IOCTL, &argument);
  close(file);
  return answer == 1;
}

static int map_query(void) {
  struct procmap_query query = {.size = sizeof query, .query_addr = (uintptr_t)&call_exists};
  int file = open("/proc/self/maps", O_RDONLY);
  int answer = ioctl(file, QUERY_IOCTL, &query);
  close(file);
  return answer == 0;
}

static int rseq_configuration(void) {
  pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  char configuration[64];
  int status;
  int answer = ptrace(PTRACE_SEIZE, child, NULL, NULL);
  ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
  waitpid(child, &status, __WALL);
  long size = ptrace(0x420f /* PTRACE_GET_RSEQ_CONFIGURATION, Linux 5.13 */, child,
                     sizeof configuration, configuration);
  kill(child, 9);
  waitpid(child, &status, __WALL);
  return answer == 0 && size > 0;
}

static int advice_exists(int advice) {
  void* memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return madvise(memory, 4096, advice) == 0;
}

int main(void) {
  fact("close_range", call_exists(436));
  fact("pidfd_getfd", call_exists(438));
  fact("process_mrelease", call_exists(448));
  fact("memfd_secret", syscall(447, 0) >= 0);
  fact("pagemap_scan", pagemap_scan());
  fact("procmap_query", map_query());
  fact("rseq_configuration", rseq_configuration());
  fact("guard_regions", advice_exists(102 /* MADV_GUARD_INSTALL, Linux 6.13 */));
  fact("yama", access("/proc/sys/kernel/yama/ptrace_scope", F_OK) == 0);
  fact("cgroup_kill", access("/sys/fs/cgroup/case-facts/cgroup.kill", F_OK) == 0);
  return 0;
}
