// SPDX-License-Identifier: Apache-2.0
//
// One MiB (or --size MiB) of stamped private memory, and what a kernel looks at before it lets
// anybody attach or clone:
//   --ptracer any|PID   names who may trace it (Yama)         --reserve MiB   private writable
//   memory never touched
//   --dumpable 0        forbids dumps                          --protect none  no access, not even
//   its own, to the stamped memory

#include <sys/prctl.h>

#include <tests/vm/victims/victim.h>

int main(int argc, char** argv) {
  size_t size = 1 << 20;
  int protection = PROT_READ | PROT_WRITE;
  for (int i = 1; i + 1 < argc; i += 2) {
    const char* value = argv[i + 1];
    if (strcmp(argv[i], "--ptracer") == 0) {
      unsigned long who = strcmp(value, "any") == 0 ? PR_SET_PTRACER_ANY : strtoul(value, NULL, 10);
      if (prctl(PR_SET_PTRACER, who, 0, 0, 0) != 0) die("PR_SET_PTRACER");
    } else if (strcmp(argv[i], "--dumpable") == 0) {
      if (prctl(PR_SET_DUMPABLE, strtoul(value, NULL, 10), 0, 0, 0) != 0) die("PR_SET_DUMPABLE");
    } else if (strcmp(argv[i], "--size") == 0) {
      size = strtoul(value, NULL, 10) << 20;
    } else if (strcmp(argv[i], "--protect") == 0 && strcmp(value, "none") == 0) {
      protection = PROT_NONE;
    } else if (strcmp(argv[i], "--reserve") == 0) {
      void* reserve = mmap(NULL, strtoul(value, NULL, 10) << 20, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (reserve == MAP_FAILED) die("mmap");
    } else {
      errno = EINVAL;
      die(argv[i]);
    }
  }
  void* memory = stamped_memory(size, 0);
  if (mprotect(memory, size, protection) != 0) die("mprotect");
  ready(memory, size);
  hide_memory = protection == PROT_NONE;
  serve(memory, size);
  return 0;
}
