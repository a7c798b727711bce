// SPDX-License-Identifier: Apache-2.0
//
// seize PID: attaches by PTRACE_SEIZE, stops, detaches; says "seized" or the error. Shows what the
// kernel itself permits, so that a case about permissions cannot pass because the machine is not
// set up as it thinks.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

int main(int argc, char** argv) {
  pid_t pid = argc > 1 ? (pid_t)strtol(argv[1], NULL, 10) : 0;
  int status;
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) {
    printf("%s\n", strerror(errno));
    return 1;
  }
  if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 || waitpid(pid, &status, __WALL) != pid ||
      ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0) {
    printf("stop and detach: %s\n", strerror(errno));
    return 1;
  }
  printf("seized\n");
  return 0;
}
