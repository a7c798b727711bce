// SPDX-License-Identifier: Apache-2.0
//
// A process that locked itself up: a filter forbids to create processes and to change descriptors,
// with an error or with death. seccomp errno|kill|kill_thread
//   errno        clone, fork, vfork, clone3, close_range, setsid, wait4 answer EPERM
//   kill         the same calls kill the process
//   kill_thread  the same, but only the second thread is under the filter
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <tests/targets/victim.h>

/// Puts the calling thread under the filter, or with SECCOMP_FILTER_FLAG_TSYNC all.
static void lock_up(unsigned action, unsigned flags) {
  const unsigned denied[] = {SYS_clone,  SYS_fork,  SYS_vfork,  SYS_clone3, 436 /* close_range */,
                             SYS_setsid, SYS_wait4, SYS_waitid, SYS_munmap, SYS_ptrace};
  const unsigned count = sizeof denied / sizeof *denied;
  sock_filter filter[count + 4];
  unsigned n = 0;
  filter[n++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (unsigned i = 0; i < count; ++i)
    filter[n++] =
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i], static_cast<unsigned char>(count - i), 0);
  filter[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  filter[n++] = BPF_STMT(BPF_RET | BPF_K, action);
  const sock_fprog program = {static_cast<unsigned short>(n), filter};
  VICTIM_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  VICTIM_CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0);
}

static void* idle(void* locked) {
  if (locked != nullptr) lock_up(SECCOMP_RET_KILL_PROCESS, 0);
  victim::begun.fetch_add(1);
  for (;;) pause();
  return nullptr;
}

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "errno";
  const bool one_thread = kind == "kill_thread";
  pthread_t thread;
  VICTIM_CHECK(pthread_create(&thread, nullptr, idle, one_thread ? &thread : nullptr) == 0);
  victim::await_begun(1);
  if (!one_thread) {
    lock_up(kind == "kill" ? SECCOMP_RET_KILL_PROCESS
                           : (SECCOMP_RET_ERRNO | static_cast<unsigned>(EPERM)),
            SECCOMP_FILTER_FLAG_TSYNC);
  }
  victim::ready();
  victim::serve();
  if (one_thread) {
    VICTIM_CHECK(prctl(PR_GET_SECCOMP) == 0);
    victim::finish_ok();
  }
  if (kind != "kill") {
    // The filter must still be in force.
    errno = 0;
    VICTIM_CHECK(syscall(SYS_setsid) == -1 && errno == EPERM);
  }
  VICTIM_CHECK(prctl(PR_GET_SECCOMP) == 2);
  victim::finish_ok();
}
