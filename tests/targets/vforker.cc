// SPDX-License-Identifier: Apache-2.0
//
// A thread that sits in vfork: it cannot be stopped until its child is done, and the child shares
// its memory. The child waits for a byte on a pipe.
#include <pthread.h>
#include <sys/wait.h>

#include <atomic>

#include <tests/targets/victim.h>

static int child_pipe[2];
static std::atomic<bool> done{false};

static void* vfork_and_wait(void*) {
  volatile int witness = 41;
  const pid_t child = vfork();
  if (child == 0) {
    char c;
    const long got = syscall(SYS_read, child_pipe[0], &c, 1);
    _exit(got == 1 ? 5 : 6);
  }
  VICTIM_CHECK(child > 0);
  witness = witness + 1;
  int status = 0;
  VICTIM_CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
               WEXITSTATUS(status) == 5);
  VICTIM_CHECK(witness == 42);
  done.store(true);
  return nullptr;
}

int main() {
  VICTIM_CHECK(pipe(child_pipe) == 0);
  pthread_t thread;
  VICTIM_CHECK(pthread_create(&thread, nullptr, vfork_and_wait, nullptr) == 0);
  // The thread is in vfork once it has a child.
  char path[64];
  for (bool born = false; !born;) {
    for (pid_t tid = getpid(); tid < getpid() + 64 && !born; ++tid) {
      snprintf(path, sizeof path, "/proc/self/task/%d/children", tid);
      FILE* file = fopen(path, "r");
      if (file == nullptr) continue;
      int child;
      born = fscanf(file, "%d", &child) == 1;
      fclose(file);
    }
  }
  victim::ready();
  victim::serve();
  VICTIM_CHECK(!done.load());
  VICTIM_CHECK(write(child_pipe[1], "v", 1) == 1);
  pthread_join(thread, nullptr);
  VICTIM_CHECK(done.load());
  victim::finish_ok();
}
