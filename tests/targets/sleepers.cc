// SPDX-License-Identifier: Apache-2.0
//
// Every system call that can sleep, each in a thread of its own, with what it must answer and when.
// Finite calls end by themselves after SECONDS; endless ones sleep until the command "release". At
// the end one report per call says what it answered, how long it took and how late that was.
// sleepers SECONDS [NAME-PREFIX]
//
// It judges nothing but hangs: which calls may be late, and by how much, is the test's business.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include <tests/targets/victim.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace {

using Call = std::function<long()>;

struct Case {
  std::string name;
  bool finite = true;
  std::string expected;
  Call call;
  std::function<void()> release;
  pthread_t thread = 0;
  std::atomic<pid_t> tid{0};
  double entered = 0, left = 0, released = 0;
  long value = 0;
  int error = 0;
  std::atomic<bool> done{false};
};

std::deque<Case> cases;
double seconds = 2;
std::string prefix;
std::atomic<int> usr1_count{0};

bool wanted(const char* name) {
  return prefix.empty() || std::string(name).starts_with(prefix);
}

void finite(const char* name, const char* expected, Call call) {
  if (!wanted(name)) return;
  Case& added = cases.emplace_back();
  added.name = name;
  added.expected = expected;
  added.call = std::move(call);
}

void endless(const char* name, const char* expected, Call call, std::function<void()> release) {
  if (!wanted(name)) return;
  Case& added = cases.emplace_back();
  added.name = name;
  added.finite = false;
  added.expected = expected;
  added.call = std::move(call);
  added.release = std::move(release);
}

timespec relative() {
  const auto whole = static_cast<time_t>(seconds);
  return {whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
}

timespec absolute(clockid_t clock) {
  timespec at, by = relative();
  clock_gettime(clock, &at);
  at.tv_sec += by.tv_sec;
  at.tv_nsec += by.tv_nsec;
  if (at.tv_nsec >= 1000000000) {
    at.tv_nsec -= 1000000000;
    ++at.tv_sec;
  }
  return at;
}

int milliseconds() {
  return static_cast<int>(seconds * 1000);
}

struct Pipe {
  int in, out;  // read end, write end

  Pipe() {
    int fds[2];
    VICTIM_CHECK(pipe2(fds, O_CLOEXEC) == 0);
    in = fds[0];
    out = fds[1];
  }

  void put() const { VICTIM_CHECK(write(out, "x", 1) == 1); }

  void fill() const {
    static char block[4096];
    fcntl(out, F_SETFL, O_NONBLOCK);
    while (write(out, block, sizeof block) > 0) {
    }
    fcntl(out, F_SETFL, 0);
  }

  void drain() const {
    static char block[1 << 20];
    VICTIM_CHECK(read(in, block, sizeof block) > 0);
  }
};

struct Pair {
  int a, b;

  explicit Pair(int type = SOCK_STREAM) {
    int fds[2];
    VICTIM_CHECK(socketpair(AF_UNIX, type, 0, fds) == 0);
    a = fds[0];
    b = fds[1];
  }

  void put() const { VICTIM_CHECK(write(b, "x", 1) == 1); }

  void fill() const {
    static char block[4096];
    while (send(a, block, sizeof block, MSG_DONTWAIT) > 0) {
    }
  }

  void drain() const {
    static char block[1 << 20];
    while (recv(b, block, sizeof block, MSG_DONTWAIT) > 0) {
    }
  }
};

void limit(int socket, int option) {
  const timeval value = {
      static_cast<time_t>(seconds),
      static_cast<suseconds_t>((seconds - static_cast<double>(static_cast<long>(seconds))) * 1e6)};
  VICTIM_CHECK(setsockopt(socket, SOL_SOCKET, option, &value, sizeof value) == 0);
}

/// A listening unix socket in the abstract name space, with room for `backlog` connections.
int unix_listener(sockaddr_un& address, socklen_t& size, int backlog) {
  static int number = 0;
  address = {};
  address.sun_family = AF_UNIX;
  size = static_cast<socklen_t>(
      offsetof(sockaddr_un, sun_path) + 1 +
      static_cast<unsigned>(
          snprintf(address.sun_path + 1, 60, "doppel-sleepers-%d-%d", getpid(), ++number)));
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  VICTIM_CHECK(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  VICTIM_CHECK(listen(listener, backlog) == 0);
  return listener;
}

int connect_to(const sockaddr_un& address, socklen_t size) {
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  VICTIM_CHECK(connect(client, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  return client;
}

/// A child that does one thing and ends; forked while the process still has one thread.
pid_t child(const std::function<int()>& run) {
  const pid_t pid = fork();
  VICTIM_CHECK(pid >= 0);
  if (pid == 0) _exit(run());
  return pid;
}

long futex(uint32_t* word, int operation, uint32_t value, const timespec* timeout,
           uint32_t mask = 0) {
  return syscall(SYS_futex, word, operation, value, timeout, nullptr, mask);
}

struct Ring {
  int fd = -1;
  io_uring_params parameters = {};
  char* submission = nullptr;
  io_uring_sqe* entries = nullptr;

  Ring() {
    fd = static_cast<int>(syscall(SYS_io_uring_setup, 4, &parameters));
    if (fd < 0) return;
    const size_t size = parameters.sq_off.array + parameters.sq_entries * 4u +
                        parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe);
    submission = static_cast<char*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING));
    entries =
        static_cast<io_uring_sqe*>(mmap(nullptr, parameters.sq_entries * sizeof(io_uring_sqe),
                                        PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES));
    VICTIM_CHECK(submission != MAP_FAILED && entries != MAP_FAILED);
  }

  void poll_in(int what) {
    entries[0] = {};
    entries[0].opcode = IORING_OP_POLL_ADD;
    entries[0].fd = what;
    entries[0].poll32_events = POLLIN;
    reinterpret_cast<uint32_t*>(submission + parameters.sq_off.array)[0] = 0;
    auto* tail = reinterpret_cast<std::atomic<uint32_t>*>(submission + parameters.sq_off.tail);
    tail->store(1, std::memory_order_release);
    VICTIM_CHECK(syscall(SYS_io_uring_enter, fd, 1, 0, 0, nullptr, 0) == 1);
  }
};

union SemaphoreArgument {
  int value;
};

int semaphore_set() {
  const int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  VICTIM_CHECK(id >= 0);
  return id;
}

void add_sleeps() {
  finite("nanosleep", "0", [] {
    const timespec time = relative();
    return static_cast<long>(nanosleep(&time, nullptr));
  });
  // clock_nanosleep() itself returns the error; the bare call keeps one convention.
  finite("clock_nanosleep relative", "0", [] {
    const timespec time = relative();
    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr);
  });
  finite("clock_nanosleep absolute", "0", [] {
    const timespec time = absolute(CLOCK_MONOTONIC);
    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
  });
  endless("pause", "EINTR", [] { return static_cast<long>(pause()); }, [] {});
  endless(
      "rt_sigsuspend", "EINTR",
      [] {
        sigset_t mask;
        sigfillset(&mask);
        sigdelset(&mask, SIGUSR1);
        return static_cast<long>(sigsuspend(&mask));
      },
      [] {});
  finite("rt_sigtimedwait", "EAGAIN", [] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    const timespec time = relative();
    return static_cast<long>(sigtimedwait(&set, nullptr, &time));
  });
  endless(
      "rt_sigtimedwait endless", std::to_string(SIGRTMIN + 4).c_str(),
      [] {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN + 4);
        return static_cast<long>(sigwaitinfo(&set, nullptr));
      },
      [] { kill(getpid(), SIGRTMIN + 4); });
}

void add_polls() {
  static sigset_t all;
  sigfillset(&all);
  {
    Pipe p;
    finite("poll", "0", [p] {
      pollfd fd = {p.in, POLLIN, 0};
      return static_cast<long>(poll(&fd, 1, milliseconds()));
    });
    finite("ppoll", "0", [p] {
      pollfd fd = {p.in, POLLIN, 0};
      const timespec time = relative();
      return static_cast<long>(ppoll(&fd, 1, &time, &all));
    });
    finite("select", "0", [p] {
      fd_set set;
      FD_ZERO(&set);
      FD_SET(p.in, &set);
      timeval time = {relative().tv_sec, relative().tv_nsec / 1000};
      return static_cast<long>(syscall(SYS_select, p.in + 1, &set, nullptr, nullptr, &time));
    });
    finite("pselect6", "0", [p] {
      fd_set set;
      FD_ZERO(&set);
      FD_SET(p.in, &set);
      const timespec time = relative();
      return static_cast<long>(pselect(p.in + 1, &set, nullptr, nullptr, &time, &all));
    });
  }
  {
    Pipe p;
    endless(
        "poll endless", "1",
        [p] {
          pollfd fd = {p.in, POLLIN, 0};
          return static_cast<long>(poll(&fd, 1, -1));
        },
        [p] { p.put(); });
  }
  {
    Pipe p;
    endless(
        "ppoll endless", "1",
        [p] {
          pollfd fd = {p.in, POLLIN, 0};
          return static_cast<long>(ppoll(&fd, 1, nullptr, &all));
        },
        [p] { p.put(); });
  }
  {
    Pipe p;
    endless(
        "select endless", "1",
        [p] {
          fd_set set;
          FD_ZERO(&set);
          FD_SET(p.in, &set);
          return static_cast<long>(syscall(SYS_select, p.in + 1, &set, nullptr, nullptr, nullptr));
        },
        [p] { p.put(); });
  }
  {
    Pipe p;
    endless(
        "pselect6 endless", "1",
        [p] {
          fd_set set;
          FD_ZERO(&set);
          FD_SET(p.in, &set);
          return static_cast<long>(pselect(p.in + 1, &set, nullptr, nullptr, nullptr, &all));
        },
        [p] { p.put(); });
  }
  auto watched = [](const Pipe& p) {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event = {.events = EPOLLIN, .data = {}};
    VICTIM_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, p.in, &event) == 0);
    return epoll;
  };
  Pipe quiet;
  const int silent = watched(quiet);
  finite("epoll_wait", "0", [silent] {
    epoll_event event;
    return syscall(SYS_epoll_wait, silent, &event, 1, milliseconds());
  });
  finite("epoll_pwait", "0", [silent] {
    epoll_event event;
    return static_cast<long>(epoll_pwait(silent, &event, 1, milliseconds(), &all));
  });
  finite("epoll_pwait2", "0", [silent] {
    epoll_event event;
    const timespec time = relative();
    return syscall(SYS_epoll_pwait2, silent, &event, 1, &time, &all, 8);
  });
  {
    Pipe p;
    const int epoll = watched(p);
    endless(
        "epoll_wait endless", "1",
        [epoll] {
          epoll_event event;
          return syscall(SYS_epoll_wait, epoll, &event, 1, -1);
        },
        [p] { p.put(); });
  }
  {
    Pipe p;
    const int epoll = watched(p);
    endless(
        "epoll_pwait endless", "1",
        [epoll] {
          epoll_event event;
          return static_cast<long>(epoll_pwait(epoll, &event, 1, -1, &all));
        },
        [p] { p.put(); });
  }
  {
    Pipe p;
    const int epoll = watched(p);
    endless(
        "epoll_pwait2 endless", "1",
        [epoll] {
          epoll_event event;
          return syscall(SYS_epoll_pwait2, epoll, &event, 1, nullptr, &all, 8);
        },
        [p] { p.put(); });
  }
}

void add_futexes() {
  static uint32_t timed = 0, timed_set = 0, vector_timed = 0;
  finite("futex wait", "ETIMEDOUT", [] {
    const timespec time = relative();
    return futex(&timed, FUTEX_WAIT, 0, &time);
  });
  finite("futex wait_bitset absolute", "ETIMEDOUT", [] {
    const timespec time = absolute(CLOCK_MONOTONIC);
    return futex(&timed_set, FUTEX_WAIT_BITSET, 0, &time, FUTEX_BITSET_MATCH_ANY);
  });
  finite("futex_waitv", "ETIMEDOUT", [] {
    futex_waitv wait = {};
    wait.uaddr = reinterpret_cast<uintptr_t>(&vector_timed);
    wait.flags = FUTEX_32;
    const timespec time = absolute(CLOCK_MONOTONIC);
    return syscall(SYS_futex_waitv, &wait, 1, 0, &time, CLOCK_MONOTONIC);
  });
  static sem_t never;
  sem_init(&never, 0, 0);
  finite("sem_timedwait", "ETIMEDOUT", [] {
    const timespec time = absolute(CLOCK_REALTIME);
    return static_cast<long>(sem_timedwait(&never, &time));
  });
  static uint32_t owned_timed, owned;
  owned_timed = owned = static_cast<uint32_t>(victim::tid());
  finite("futex lock_pi", "ETIMEDOUT", [] {
    const timespec time = absolute(CLOCK_REALTIME);
    return futex(&owned_timed, FUTEX_LOCK_PI, 0, &time);
  });
  endless(
      "futex lock_pi endless", "0", [] { return futex(&owned, FUTEX_LOCK_PI, 0, nullptr); },
      [] { VICTIM_CHECK(futex(&owned, FUTEX_UNLOCK_PI, 0, nullptr) == 0); });
  static uint32_t word = 0, vector_word = 0;
  endless(
      "futex wait endless", "0", [] { return futex(&word, FUTEX_WAIT, 0, nullptr); },
      [] { VICTIM_CHECK(futex(&word, FUTEX_WAKE, 1, nullptr) == 1); });
  endless(
      "futex_waitv endless", "0",
      [] {
        futex_waitv wait = {};
        wait.uaddr = reinterpret_cast<uintptr_t>(&vector_word);
        wait.flags = FUTEX_32;
        return syscall(SYS_futex_waitv, &wait, 1, 0, nullptr, 0);
      },
      [] { VICTIM_CHECK(futex(&vector_word, FUTEX_WAKE, 1, nullptr) == 1); });
  static sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  endless(
      "sem_wait endless", "0", [] { return static_cast<long>(sem_wait(&semaphore)); },
      [] { sem_post(&semaphore); });
}

void add_children() {
  const double length = seconds;
  auto nap = [length] {
    // The child begins when the threads do; what matters is that the wait ends with it.
    const timespec time = {
        static_cast<time_t>(length),
        static_cast<long>((length - static_cast<double>(static_cast<long>(length))) * 1e9)};
    nanosleep(&time, nullptr);
    return 7;
  };
  static auto spawn_nap = nap;
  auto wait_nap = [](auto how) {
    return [how] {
      const pid_t pid = fork();
      VICTIM_CHECK(pid >= 0);
      if (pid == 0) _exit(spawn_nap());
      return how(pid);
    };
  };
  finite("wait4", "7", wait_nap([](pid_t pid) {
           int status = 0;
           const pid_t got = waitpid(pid, &status, 0);
           return got < 0 ? -1L : static_cast<long>(WEXITSTATUS(status));
         }));
  finite("waitid", "7", wait_nap([](pid_t pid) {
           siginfo_t info = {};
           return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) < 0
                      ? -1L
                      : static_cast<long>(info.si_status);
         }));
  auto held = [](const Pipe& p) {
    return child([p] {
      char c;
      const ssize_t got = read(p.in, &c, 1);
      return got == 1 ? 9 : 1;
    });
  };
  {
    Pipe p;
    const pid_t pid = wanted("wait4 endless") ? held(p) : 0;
    endless(
        "wait4 endless", "9",
        [pid] {
          int status = 0;
          return waitpid(pid, &status, 0) < 0 ? -1L : static_cast<long>(WEXITSTATUS(status));
        },
        [p] { p.put(); });
  }
  {
    Pipe p;
    const pid_t pid = wanted("waitid endless") ? held(p) : 0;
    endless(
        "waitid endless", "9",
        [pid] {
          siginfo_t info = {};
          const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
          return waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(fd), &info, WEXITED) < 0
                     ? -1L
                     : static_cast<long>(info.si_status);
        },
        [p] { p.put(); });
  }
}

void add_sockets() {
  static char block[4096];
  auto receive = [](const char* name, auto call) {
    Pair timed;
    limit(timed.a, SO_RCVTIMEO);
    finite(name, "EAGAIN", [timed, call] { return call(timed.a); });
    Pair pair;
    static std::deque<std::string> names;
    endless(
        names.emplace_back(std::string(name) + " endless").c_str(), "1",
        [pair, call] { return call(pair.a); }, [pair] { pair.put(); });
  };
  receive("read socket", [](int s) { return static_cast<long>(read(s, block, 1)); });
  receive("readv socket", [](int s) {
    const iovec vector = {block, 1};
    return static_cast<long>(readv(s, &vector, 1));
  });
  receive("recvfrom", [](int s) { return static_cast<long>(recv(s, block, 1, 0)); });
  receive("recvmsg", [](int s) {
    iovec vector = {block, 1};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    return static_cast<long>(recvmsg(s, &message, 0));
  });
  receive("recvmmsg", [](int s) {
    iovec vector = {block, 1};
    mmsghdr message = {};
    message.msg_hdr.msg_iov = &vector;
    message.msg_hdr.msg_iovlen = 1;
    return static_cast<long>(recvmmsg(s, &message, 1, 0, nullptr));
  });
  auto transmit = [](const char* name, auto call) {
    Pair timed;
    timed.fill();
    limit(timed.a, SO_SNDTIMEO);
    finite(name, "EAGAIN", [timed, call] { return call(timed.a); });
    Pair pair;
    pair.fill();
    static std::deque<std::string> names;
    endless(
        names.emplace_back(std::string(name) + " endless").c_str(), "4096",
        [pair, call] { return call(pair.a); }, [pair] { pair.drain(); });
  };
  transmit("write socket", [](int s) { return static_cast<long>(write(s, block, sizeof block)); });
  transmit("sendto", [](int s) { return static_cast<long>(send(s, block, sizeof block, 0)); });
  transmit("sendmsg", [](int s) {
    iovec vector = {block, sizeof block};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    return static_cast<long>(sendmsg(s, &message, 0));
  });
  sockaddr_un address;
  socklen_t size;
  {
    const int listener = unix_listener(address, size, 5);
    limit(listener, SO_RCVTIMEO);
    finite("accept", "EAGAIN",
           [listener] { return static_cast<long>(accept(listener, nullptr, nullptr)); });
    const int tcp = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    VICTIM_CHECK(bind(tcp, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 &&
                 listen(tcp, 5) == 0);
    limit(tcp, SO_RCVTIMEO);
    finite("accept4 tcp", "EAGAIN",
           [tcp] { return static_cast<long>(accept4(tcp, nullptr, nullptr, SOCK_CLOEXEC)); });
  }
  {
    const int listener = unix_listener(address, size, 5);
    endless(
        "accept endless", "0",
        [listener] { return accept(listener, nullptr, nullptr) < 0 ? -1L : 0L; },
        [address, size] { connect_to(address, size); });
  }
  // A unix stream connect sleeps while the listener's queue is full.
  {
    unix_listener(address, size, 0);
    connect_to(address, size);
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    limit(client, SO_SNDTIMEO);
    finite("connect", "EAGAIN", [client, address, size] {
      return static_cast<long>(connect(client, reinterpret_cast<const sockaddr*>(&address), size));
    });
  }
  {
    const int listener = unix_listener(address, size, 0);
    connect_to(address, size);
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    endless(
        "connect endless", "0",
        [client, address, size] {
          return static_cast<long>(
              connect(client, reinterpret_cast<const sockaddr*>(&address), size));
        },
        [listener] { VICTIM_CHECK(accept(listener, nullptr, nullptr) >= 0); });
  }
  {
    // UDP over loopback: another protocol's own waiting code.
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    VICTIM_CHECK(bind(udp, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
    limit(udp, SO_RCVTIMEO);
    finite("recvfrom udp", "EAGAIN",
           [udp] { return static_cast<long>(recv(udp, block, sizeof block, 0)); });
  }
}

void add_sysv() {
  const int set = semaphore_set();
  finite("semtimedop", "EAGAIN", [set] {
    sembuf take = {0, -1, 0};
    const timespec time = relative();
    return static_cast<long>(semtimedop(set, &take, 1, &time));
  });
  {
    const int own = semaphore_set();
    endless(
        "semop endless", "0",
        [own] {
          sembuf take = {0, -1, 0};
          return static_cast<long>(semop(own, &take, 1));
        },
        [own] {
          sembuf give = {0, 1, 0};
          VICTIM_CHECK(semop(own, &give, 1) == 0);
        });
  }

  struct Message {
    long type;
    char text[2048];
  };

  {
    const int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    VICTIM_CHECK(queue >= 0);
    endless(
        "msgrcv endless", "4",
        [queue] {
          Message message;
          return static_cast<long>(msgrcv(queue, &message, sizeof message.text, 0, 0));
        },
        [queue] {
          Message message = {1, "abc"};
          VICTIM_CHECK(msgsnd(queue, &message, 4, 0) == 0);
        });
  }
  {
    const int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    VICTIM_CHECK(queue >= 0);
    static Message message = {1, ""};
    while (msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0) {
    }
    endless(
        "msgsnd endless", "0",
        [queue] { return static_cast<long>(msgsnd(queue, &message, sizeof message.text, 0)); },
        [queue] {
          static Message taken;
          VICTIM_CHECK(msgrcv(queue, &taken, sizeof taken.text, 0, 0) >= 0);
        });
  }
}

void add_message_queues() {
  static int number = 0;
  auto open_queue = [](bool full) {
    char name[64];
    snprintf(name, sizeof name, "/doppel-sleepers-%d-%d", getpid(), ++number);
    mq_attr attributes = {};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = 8;
    const mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
    if (queue < 0) return queue;
    mq_unlink(name);
    if (full) VICTIM_CHECK(mq_send(queue, "m", 1, 0) == 0);
    return queue;
  };
  const mqd_t empty = open_queue(false);
  if (empty < 0) {
    victim::say("absent=mq: %s", strerror(errno));
    return;
  }
  finite("mq_timedreceive", "ETIMEDOUT", [empty] {
    char text[8];
    const timespec time = absolute(CLOCK_REALTIME);
    return static_cast<long>(mq_timedreceive(empty, text, sizeof text, nullptr, &time));
  });
  const mqd_t full = open_queue(true);
  finite("mq_timedsend", "ETIMEDOUT", [full] {
    const timespec time = absolute(CLOCK_REALTIME);
    return static_cast<long>(mq_timedsend(full, "n", 1, 0, &time));
  });
  const mqd_t receiving = open_queue(false);
  endless(
      "mq_timedreceive endless", "1",
      [receiving] {
        char text[8];
        return static_cast<long>(mq_receive(receiving, text, sizeof text, nullptr));
      },
      [receiving] { VICTIM_CHECK(mq_send(receiving, "m", 1, 0) == 0); });
  const mqd_t sending = open_queue(true);
  endless(
      "mq_timedsend endless", "0",
      [sending] { return static_cast<long>(mq_send(sending, "n", 1, 0)); },
      [sending] {
        char text[8];
        VICTIM_CHECK(mq_receive(sending, text, sizeof text, nullptr) == 1);
      });
}

void add_asynchronous() {
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, 4, &context) == 0) {
    finite("io_getevents", "0", [context] {
      io_event event;
      timespec time = relative();
      return syscall(SYS_io_getevents, context, 1, 1, &event, &time);
    });
    finite("io_pgetevents", "0", [context] {
      io_event event;
      timespec time = relative();
      return syscall(SYS_io_pgetevents, context, 1, 1, &event, &time, nullptr);
    });
    aio_context_t own = 0;
    VICTIM_CHECK(syscall(SYS_io_setup, 4, &own) == 0);
    Pipe p;
    static iocb block = {};
    block.aio_fildes = static_cast<uint32_t>(p.in);
    block.aio_lio_opcode = IOCB_CMD_POLL;
    block.aio_buf = POLLIN;
    iocb* list[] = {&block};
    if (wanted("io_getevents endless")) VICTIM_CHECK(syscall(SYS_io_submit, own, 1, list) == 1);
    endless(
        "io_getevents endless", "1",
        [own] {
          io_event event;
          return syscall(SYS_io_getevents, own, 1, 1, &event, nullptr);
        },
        [p] { p.put(); });
  } else {
    victim::say("absent=io_setup: %s", strerror(errno));
  }
  static Ring timed, ring;
  if (timed.fd < 0) {
    victim::say("absent=io_uring");
    return;
  }
  finite("io_uring_enter", "ETIME", [] {
    timespec time = relative();
    io_uring_getevents_arg argument = {};
    argument.ts = reinterpret_cast<uintptr_t>(&time);
    return syscall(SYS_io_uring_enter, timed.fd, 0, 1,
                   IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
  });
  Pipe p;
  if (wanted("io_uring_enter endless")) ring.poll_in(p.in);
  endless(
      "io_uring_enter endless", "0",
      [] { return syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, nullptr, 0); },
      [p] { p.put(); });
}

void add_files() {
  static char block[8192];
  auto reads = [](const char* name, int fd, long expected, std::function<void()> release) {
    static std::deque<std::string> values;
    endless(
        name, values.emplace_back(std::to_string(expected)).c_str(),
        [fd, expected] {
          const ssize_t got = read(fd, block, sizeof block);
          return got > 0 && expected == 0 ? 0L : static_cast<long>(got);
        },
        std::move(release));
  };
  {
    Pipe p;
    reads("read pipe endless", p.in, 1, [p] { p.put(); });
  }
  {
    const int fd = eventfd(0, EFD_CLOEXEC);
    reads("read eventfd endless", fd, 8, [fd] {
      const uint64_t one = 1;
      VICTIM_CHECK(write(fd, &one, 8) == 8);
    });
  }
  {
    const int fd = eventfd(1, EFD_CLOEXEC);
    endless(
        "write eventfd endless", "8",
        [fd] {
          const uint64_t most = 0xfffffffffffffffeull;
          return static_cast<long>(write(fd, &most, 8));
        },
        [fd] {
          uint64_t value;
          VICTIM_CHECK(read(fd, &value, 8) == 8);
        });
  }
  {
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const int other = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    finite("read timerfd", "8", [fd] {
      itimerspec once = {};
      once.it_value = relative();
      VICTIM_CHECK(timerfd_settime(fd, 0, &once, nullptr) == 0);
      return static_cast<long>(read(fd, block, 8));
    });
    reads("read timerfd endless", other, 8, [other] {
      itimerspec once = {};
      once.it_value.tv_nsec = 1;
      VICTIM_CHECK(timerfd_settime(other, 0, &once, nullptr) == 0);
    });
  }
  {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 5);
    const int fd = signalfd(-1, &set, SFD_CLOEXEC);
    reads("read signalfd endless", fd, sizeof(signalfd_siginfo),
          [] { kill(getpid(), SIGRTMIN + 5); });
  }
  {
    const int fd = inotify_init1(IN_CLOEXEC);
    static char directory[] = "doppel-sleepers-XXXXXX";
    VICTIM_CHECK(mkdtemp(directory) != nullptr);
    VICTIM_CHECK(inotify_add_watch(fd, directory, IN_DELETE) >= 0);
    reads("read inotify endless", fd, 0, [] {
      const std::string path = std::string(directory) + "/made";
      close(open(path.c_str(), O_CREAT | O_WRONLY, 0600));
      unlink(path.c_str());
    });
    const int watch = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);
    const std::string touched = std::string(directory) + "/touched";
    close(open(touched.c_str(), O_CREAT | O_WRONLY, 0600));
    if (watch >= 0 && fanotify_mark(watch, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, touched.c_str()) == 0)
      reads("read fanotify endless", watch, 0,
            [touched] { close(open(touched.c_str(), O_RDONLY)); });
    else
      victim::say("absent=fanotify: %s", strerror(errno));
    const std::string fifo = std::string(directory) + "/fifo";
    VICTIM_CHECK(mkfifo(fifo.c_str(), 0600) == 0);
    endless(
        "open fifo endless", "0", [fifo] { return open(fifo.c_str(), O_RDONLY) < 0 ? -1L : 0L; },
        [fifo] { VICTIM_CHECK(open(fifo.c_str(), O_WRONLY) >= 0); });
  }
  {
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    const int other = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && grantpt(other) == 0 &&
        unlockpt(other) == 0) {
      const int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
      VICTIM_CHECK(slave >= 0);
      reads("read tty endless", slave, 2, [master] { VICTIM_CHECK(write(master, "x\n", 2) == 2); });
      const int timed = open(ptsname(other), O_RDWR | O_NOCTTY | O_CLOEXEC);
      termios settings;
      VICTIM_CHECK(timed >= 0 && tcgetattr(timed, &settings) == 0);
      cfmakeraw(&settings);
      settings.c_cc[VMIN] = 0;
      settings.c_cc[VTIME] = static_cast<cc_t>(seconds * 10);
      VICTIM_CHECK(tcsetattr(timed, TCSANOW, &settings) == 0);
      finite("read tty VTIME", "0", [timed] { return static_cast<long>(read(timed, block, 1)); });
    } else {
      victim::say("absent=pty: %s", strerror(errno));
    }
  }
  {
    Pipe p;
    p.fill();
    endless(
        "write pipe endless", "4096", [p] { return static_cast<long>(write(p.out, block, 4096)); },
        [p] { p.drain(); });
  }
  {
    Pipe from, to;
    endless(
        "splice endless", "1",
        [from, to] { return static_cast<long>(splice(from.in, nullptr, to.out, nullptr, 1, 0)); },
        [from] { from.put(); });
  }
  {
    Pipe from, to;
    endless(
        "tee endless", "1", [from, to] { return static_cast<long>(tee(from.in, to.out, 1, 0)); },
        [from] { from.put(); });
  }
  {
    static char name[] = "doppel-sleepers-lock-XXXXXX";
    const int held = mkstemp(name);
    const int second = open(name, O_RDWR | O_CLOEXEC);
    VICTIM_CHECK(held >= 0 && second >= 0 && flock(held, LOCK_EX) == 0);
    endless(
        "flock endless", "0", [second] { return static_cast<long>(flock(second, LOCK_EX)); },
        [held] { VICTIM_CHECK(flock(held, LOCK_UN) == 0); });
    struct flock range = {};
    range.l_type = F_WRLCK;
    range.l_start = 100;
    range.l_len = 10;
    VICTIM_CHECK(fcntl(held, F_OFD_SETLK, &range) == 0);
    endless(
        "fcntl F_OFD_SETLKW endless", "0",
        [second, range]() mutable {
          return static_cast<long>(fcntl(second, F_OFD_SETLKW, &range));
        },
        [held, range]() mutable {
          range.l_type = F_UNLCK;
          VICTIM_CHECK(fcntl(held, F_OFD_SETLK, &range) == 0);
        });
    if (wanted("fcntl F_SETLKW endless")) {
      Pipe told, hold;
      child([&] {
        const int own = open(name, O_RDWR | O_CLOEXEC);
        struct flock mine = {};
        mine.l_type = F_WRLCK;
        mine.l_len = 10;
        if (fcntl(own, F_SETLK, &mine) != 0) return 1;
        told.put();
        char c;
        return read(hold.in, &c, 1) == 1 ? 0 : 1;
      });
      char c;
      VICTIM_CHECK(read(told.in, &c, 1) == 1);
      struct flock mine = {};
      mine.l_type = F_WRLCK;
      mine.l_len = 10;
      endless(
          "fcntl F_SETLKW endless", "0",
          [second, mine]() mutable { return static_cast<long>(fcntl(second, F_SETLKW, &mine)); },
          [hold] { hold.put(); });
    }
  }
}

const char* error_name(int error) {
  static thread_local char number[16];
  switch (error) {
    case EINTR:
      return "EINTR";
    case EAGAIN:
      return "EAGAIN";
    case ETIMEDOUT:
      return "ETIMEDOUT";
    case ETIME:
      return "ETIME";
    case EINVAL:
      return "EINVAL";
    case ENOSYS:
      return "ENOSYS";
    case ECHILD:
      return "ECHILD";
    case ENOENT:
      return "ENOENT";
    default:
      snprintf(number, sizeof number, "errno %d", error);
      return number;
  }
}

void* run(void* argument) {
  auto& own = *static_cast<Case*>(argument);
  if (own.name == "pause") {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
  }
  own.tid.store(victim::tid());
  own.entered = victim::now();
  own.value = own.call();
  own.error = errno;
  own.left = victim::now();
  own.done.store(true);
  return nullptr;
}

bool asleep(pid_t tid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size <= 0) return false;
  text[size] = 0;
  const char* after = strrchr(text, ')');
  return after != nullptr && after[2] == 'S';
}

}  // namespace

int main(int argc, char** argv) {
  seconds = argc > 1 ? atof(argv[1]) : 2;
  prefix = argc > 2 ? argv[2] : "";
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  struct sigaction action = {};
  action.sa_handler = [](int) { usr1_count.fetch_add(1); };
  sigaction(SIGUSR1, &action, nullptr);

  add_children();
  add_sleeps();
  add_polls();
  add_futexes();
  add_sockets();
  add_sysv();
  add_message_queues();
  add_asynchronous();
  add_files();

  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  for (Case& each : cases) VICTIM_CHECK(pthread_create(&each.thread, &small, run, &each) == 0);
  for (Case& each : cases) {
    const double until = victim::now() + 10;
    while (each.tid.load() == 0 || (!each.done.load() && !asleep(each.tid.load()))) {
      if (victim::now() > until) victim::fail("%s does not sleep", each.name.c_str());
      sched_yield();
    }
    if (each.done.load() && each.left - each.entered < seconds / 2)
      victim::fail("%s does not sleep: %ld %s", each.name.c_str(), each.value,
                   each.value < 0 ? error_name(each.error) : "");
  }
  victim::say("calls=%zu", cases.size());
  victim::ready();
  victim::serve([](const std::string& command) {
    if (command != "release") return;
    for (Case& each : cases) {
      if (each.finite) continue;
      each.released = victim::now();
      if (each.name == "pause" || each.name == "rt_sigsuspend")
        pthread_kill(each.thread, SIGUSR1);
      else
        each.release();
    }
    victim::say("released");
  });
  const double until = victim::now() + 3 * seconds + 5;
  for (Case& each : cases)
    while (!each.done.load()) {
      if (victim::now() > until) victim::fail("%s hangs", each.name.c_str());
      const timespec nap = {0, 1000000};
      nanosleep(&nap, nullptr);
    }
  int handled = 0;
  for (Case& each : cases) {
    const std::string outcome =
        each.value < 0 ? error_name(each.error) : std::to_string(each.value);
    if (each.name == "pause" || each.name == "rt_sigsuspend") ++handled;
    const double due = each.finite ? each.entered + seconds : each.released;
    victim::say(
        "{\"call\":\"%s\",\"finite\":%s,\"outcome\":\"%s\",\"expected\":\"%s\",\"entered_ms\":%.3f,"
        "\"elapsed_ms\":%.3f,\"late_ms\":%.3f}",
        each.name.c_str(), each.finite ? "true" : "false", outcome.c_str(), each.expected.c_str(),
        each.entered * 1000, (each.left - each.entered) * 1000, (each.left - due) * 1000);
  }
  if (usr1_count.load() != handled)
    victim::fail("%d handlers ran, %d signals were sent", usr1_count.load(), handled);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  victim::finish_ok();
}
