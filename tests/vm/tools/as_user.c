// SPDX-License-Identifier: Apache-2.0
//
// as_user UID COMMAND...: becomes that user and group, with no other group and no capability, and
// runs the command.

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: as_user UID COMMAND...\n");
    return 2;
  }
  unsigned id = (unsigned)strtoul(argv[1], NULL, 10);
  if (setgroups(0, NULL) != 0 || setgid(id) != 0 || setuid(id) != 0) {
    fprintf(stderr, "as_user: %s\n", strerror(errno));
    return 126;
  }
  execvp(argv[2], argv + 2);
  fprintf(stderr, "as_user: %s: %s\n", argv[2], strerror(errno));
  return 127;
}
