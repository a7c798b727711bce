// SPDX-License-Identifier: Apache-2.0
//
// What the victims of the virtual machine have in common: memory stamped with a pattern that
// depends on the address and a generation, and a conversation on stdin and stdout, so that a case
// never has to sleep. A victim knows nothing of doppel.
//
//   victim -> "ready ADDRESS SIZE"      the stamped range, in hexadecimal and decimal
//   "check" -> "intact", or what is wrong: a damaged word, a child or SIGCHLD it never asked for, a
//   read that said EINTR "write" -> "written N"              stamps the range with the next
//   generation N "quit"  -> ends
#ifndef DOPPEL_TESTS_VM_VICTIMS_VICTIM_H_
#define DOPPEL_TESTS_VM_VICTIMS_VICTIM_H_

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tests/vm/victims/pattern.h>

static volatile sig_atomic_t sigchld_seen;

// The stamped memory is PROT_NONE between two looks at it.
static int hide_memory;

static inline void on_sigchld(int signal_number) {
  (void)signal_number;
  sigchld_seen++;
}

static inline void die(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  fflush(stdout);
  exit(1);
}

static inline void stamp(void* memory, size_t size, uint64_t generation) {
  uint64_t* words = memory;
  for (size_t i = 0; i < size / sizeof *words; i++) {
    words[i] = pattern_word((uintptr_t)&words[i], generation);
  }
}

// The first word that differs, or NULL.
static inline const uint64_t* first_damage(const void* memory, size_t size, uint64_t generation) {
  const uint64_t* words = memory;
  for (size_t i = 0; i < size / sizeof *words; i++) {
    if (words[i] != pattern_word((uintptr_t)&words[i], generation)) return &words[i];
  }
  return NULL;
}

// Tells the case that the range is stamped, and from here on counts every SIGCHLD.
static inline void ready(const void* memory, size_t size) {
  struct sigaction action = {.sa_handler =
                                 on_sigchld};  // no SA_RESTART: an interrupted read must show
  sigaction(SIGCHLD, &action, NULL);
  printf("ready 0x%lx %zu\n", (unsigned long)(uintptr_t)memory, size);
  fflush(stdout);
}

static inline void answer_check(void* memory, size_t size, uint64_t generation, int interrupted) {
  if (hide_memory) mprotect(memory, size, PROT_READ);
  const uint64_t* damaged = first_damage(memory, size, generation);
  if (hide_memory) mprotect(memory, size, PROT_NONE);
  int status;
  pid_t stranger = waitpid(-1, &status, WNOHANG);
  if (damaged != NULL) {
    printf("damaged at %p\n", (const void*)damaged);
  } else if (stranger >= 0 || errno != ECHILD) {
    printf("a child it never made: waitpid says %d\n", stranger);
  } else if (sigchld_seen != 0) {
    printf("SIGCHLD %d times\n", (int)sigchld_seen);
  } else if (interrupted != 0) {
    printf("EINTR %d times\n", interrupted);
  } else {
    printf("intact\n");
  }
}

// Answers commands until "quit" or end of file.
static inline void serve(void* memory, size_t size) {
  uint64_t generation = 0;
  int interrupted = 0;
  char line[64];
  size_t length = 0;
  for (;;) {
    ssize_t n = read(0, line + length, 1);
    if (n < 0 && errno == EINTR) {
      interrupted++;
      continue;
    }
    if (n <= 0) return;
    if (line[length] != '\n' && length + 2 < sizeof line) {
      length++;
      continue;
    }
    line[length] = 0;
    length = 0;
    if (strcmp(line, "check") == 0) {
      answer_check(memory, size, generation, interrupted);
    } else if (strcmp(line, "write") == 0) {
      stamp(memory, size, ++generation);
      printf("written %lu\n", generation);
    } else if (strcmp(line, "quit") == 0) {
      return;
    } else {
      printf("what is '%s'?\n", line);
    }
    fflush(stdout);
  }
}

// Private memory of `size` bytes, stamped with generation 0.
static inline void* stamped_memory(size_t size, int flags) {
  void* memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  stamp(memory, size, 0);
  return memory;
}

#endif  // DOPPEL_TESTS_VM_VICTIMS_VICTIM_H_
