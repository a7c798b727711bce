// SPDX-License-Identifier: Apache-2.0
//
// Watches for strangers, in the two places where a re-parented process would show: a child
// subreaper, and the first process of a pid namespace. One thread sits in waitpid(-1, __WALL) over
// one own child that lives until the end; SIGCHLD is counted. stranger_watch subreaper|init|plain
//
// As `init` the outer process only starts the inner one, says its pid ("pid=N") and passes its
// status on.
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <atomic>

#include <tests/targets/victim.h>

static std::atomic<int> chld_count{0};
static std::atomic<pid_t> own_child{0};
static std::atomic<bool> ending{false};
static int child_pipe[2];

static void on_chld(int) {
  chld_count.fetch_add(1);
}

static void* wait_for_any(void*) {
  victim::begun.fetch_add(1);
  int status = 0;
  const pid_t got = waitpid(-1, &status, 0);
  if (!ending.load()) victim::fail("waitpid(-1) gave %d (%s) too early", got, strerror(errno));
  if (got != own_child.load())
    victim::fail("waitpid(-1) gave a stranger: %d (%s)", got, strerror(errno));
  return nullptr;
}

static int watch() {
  struct sigaction action = {};
  action.sa_handler = on_chld;
  action.sa_flags = SA_RESTART;
  sigaction(SIGCHLD, &action, nullptr);
  VICTIM_CHECK(pipe(child_pipe) == 0);
  const pid_t child = fork();
  VICTIM_CHECK(child >= 0);
  if (child == 0) {
    close(child_pipe[1]);
    char c;
    const ssize_t got = read(child_pipe[0], &c, 1);
    _exit(got == 0 ? 7 : 1);
  }
  close(child_pipe[0]);
  own_child.store(child);
  pthread_t thread;
  VICTIM_CHECK(pthread_create(&thread, nullptr, wait_for_any, nullptr) == 0);
  victim::await_begun(1);
  victim::ready();
  victim::serve();
  VICTIM_CHECK(chld_count.load() == 0);
  // Nothing else may be waited for, of any kind, dead or alive, than the one child.
  siginfo_t info = {};
  VICTIM_CHECK(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
               info.si_pid == 0);
  ending.store(true);
  close(child_pipe[1]);
  pthread_join(thread, nullptr);
  VICTIM_CHECK(chld_count.load() == 1);
  errno = 0;
  VICTIM_CHECK(waitpid(-1, nullptr, WNOHANG | __WALL) == -1 && errno == ECHILD);
  victim::say("ok");
  return 0;
}

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "plain";
  if (kind == "subreaper") VICTIM_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  if (kind != "init") return watch();
  if (unshare(CLONE_NEWPID) != 0) {
    victim::say("skip=unshare: %s", strerror(errno));
    return 77;
  }
  const pid_t inner = fork();
  VICTIM_CHECK(inner >= 0);
  if (inner == 0) return watch();
  victim::say("pid=%d", inner);
  close(0);
  int status;
  VICTIM_CHECK(waitpid(inner, &status, 0) == inner);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
