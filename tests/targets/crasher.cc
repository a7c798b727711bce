// SPDX-License-Identifier: Apache-2.0
//
// A service that claims things - ports, locks, shared memory - and crashes on command. What a
// restart needs must be free when its death is seen; what it had in memory must be in the dump.
//   crasher [THREADS] [spin] [dir=DIRECTORY] [CLAIM...]
// Commands: "crash HOW". Facts: addresses of what the test looks at.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <thread>
#include <vector>

#include <tests/targets/victim.h>

namespace {

constexpr long kWords = 1 << 16;

std::atomic<int> order{0};
std::atomic<int> crashing{0};
pthread_mutex_t robust;
volatile int zero = 0;

[[gnu::noinline]] void overflow(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  if (zero == 0) overflow(depth + 1);
  room[1] = room[0];
}

[[gnu::noinline]] void crash_now(const std::string& how) {
  if (how == "segv") *reinterpret_cast<volatile long*>(0x1234) = 1;
  if (how == "abort") abort();
  if (how == "fpe") zero = 7 / zero;
  if (how == "ill") __builtin_trap();
  if (how == "trap") __asm__ volatile("int3");
  if (how == "overflow") overflow(0);
  if (how == "raise") raise(SIGSEGV);
  if (how == "jump") reinterpret_cast<void (*)()>(0x10)();
  if (how == "sp") __asm__ volatile("mov $0x10, %rsp; push %rax");
  if (how == "kill") kill(getpid(), SIGKILL);
  if (how == "term") kill(getpid(), SIGTERM);
  if (how == "quit") kill(getpid(), SIGQUIT);
  if (how == "exit") _exit(7);
}

int open_claim(const std::string& directory, const char* name) {
  const std::string path = directory + "/" + name;
  const int fd = open(path.c_str(), O_CREAT | O_RDWR, 0600);
  VICTIM_CHECK(fd >= 0);
  VICTIM_CHECK(ftruncate(fd, 8192) == 0);
  return fd;
}

char* map_file(int fd) {
  void* at = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  VICTIM_CHECK(at != MAP_FAILED);
  strcpy(static_cast<char*>(at), "mapped contents");
  return static_cast<char*>(at);
}

int listen_tcp() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  VICTIM_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  VICTIM_CHECK(listen(fd, 8) == 0);
  return fd;
}

int port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  VICTIM_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

void claim(const std::string& what, const std::string& directory) {
  if (what == "tcp") {
    victim::say("tcp=%d", port_of(listen_tcp()));
  } else if (what == "udp") {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    VICTIM_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    victim::say("udp=%d", port_of(fd));
  } else if (what == "abstract") {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const int size =
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "crasher-%d", getpid());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
    VICTIM_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
    VICTIM_CHECK(listen(fd, 8) == 0);
    victim::say("abstract=crasher-%d", getpid());
  } else if (what == "flock") {
    VICTIM_CHECK(flock(open_claim(directory, "flock"), LOCK_EX | LOCK_NB) == 0);
  } else if (what == "flock_mapped") {
    const int fd = open_claim(directory, "flock_mapped");
    victim::say("flock_mapped_at=0x%lx", reinterpret_cast<unsigned long>(map_file(fd)));
    VICTIM_CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
  } else if (what == "posix") {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    VICTIM_CHECK(fcntl(open_claim(directory, "posix"), F_SETLK, &lock) == 0);
  } else if (what == "ofd_mapped") {
    const int fd = open_claim(directory, "ofd_mapped");
    map_file(fd);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    VICTIM_CHECK(fcntl(fd, F_OFD_SETLK, &lock) == 0);
  } else if (what == "sysv") {
    const int id = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600);
    VICTIM_CHECK(id >= 0);
    void* at = shmat(id, nullptr, 0);
    VICTIM_CHECK(at != reinterpret_cast<void*>(-1));
    strcpy(static_cast<char*>(at), "system five");
    victim::say("sysv=%d", id);
    victim::say("sysv_at=0x%lx", reinterpret_cast<unsigned long>(at));
  } else if (what == "ring") {
    io_uring_params params{};
    const int ring = static_cast<int>(syscall(SYS_io_uring_setup, 8, &params));
    if (ring < 0) {
      victim::say("ring=0");
      return;
    }
    void* at = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
                    IORING_OFF_SQ_RING);
    VICTIM_CHECK(at != MAP_FAILED);
    const int fd = listen_tcp();
    VICTIM_CHECK(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1) == 0);
    victim::say("ring=%d", port_of(fd));
  } else if (what == "cwd") {
    VICTIM_CHECK(chdir(directory.c_str()) == 0);
  } else if (what == "vm_child") {
    // A process of its own in the same memory.
    auto* stack = static_cast<char*>(
        mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const pid_t child = clone(
        [](void*) {
          while (true) pause();
          return 0;
        },
        stack + 65536, CLONE_VM | SIGCHLD, nullptr);
    VICTIM_CHECK(child > 0);
    victim::say("vm_child=%d", child);
  } else if (what == "undumpable") {
    VICTIM_CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
  } else if (what == "blocked") {
    sigset_t all;
    sigfillset(&all);
    VICTIM_CHECK(pthread_sigmask(SIG_BLOCK, &all, nullptr) == 0);
  } else if (what == "wipe") {
    void* at = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VICTIM_CHECK(at != MAP_FAILED);
    VICTIM_CHECK(madvise(at, 4096, MADV_WIPEONFORK) == 0);
    strcpy(static_cast<char*>(at), "wipe");
    victim::say("wipe_at=0x%lx", reinterpret_cast<unsigned long>(at));
  } else if (what.rfind("memory=", 0) == 0) {
    const unsigned long size = strtoul(what.c_str() + 7, nullptr, 10) << 20;  // MiB
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VICTIM_CHECK(at != MAP_FAILED);
    madvise(at, size, MADV_NOHUGEPAGE);
    memset(at, 0x5a, size);
  } else if (what == "recover") {
    struct sigaction action{};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
      // Skips the faulting store: a runtime that recovers.
      auto* machine = static_cast<ucontext_t*>(context);
      machine->uc_mcontext.gregs[REG_RIP] = machine->uc_mcontext.gregs[REG_RBX];
    };
    VICTIM_CHECK(sigaction(SIGSEGV, &action, nullptr) == 0);
  } else {
    victim::fail("no such claim: %s", what.c_str());
  }
}

/// A store that faults, with the address behind it in rbx for the handler.
void fault_and_recover() {
  __asm__ volatile(
      "lea 1f(%%rip), %%rbx\n\t"
      "movl $1, 0x10\n\t"
      "1:\n\t"
      :
      :
      : "rbx", "memory");
}

void worker(long index, bool spin) {
  victim::begun.fetch_add(1);
  if (index == 0) {
    VICTIM_CHECK(pthread_mutex_lock(&robust) == 0);
    int* word = nullptr;
    if (prctl(PR_GET_TID_ADDRESS, &word) == 0) {
      victim::say("tid_word=0x%lx", reinterpret_cast<unsigned long>(word));
      victim::say("tid_value=%d", *word);
    }
    victim::say("robust=0x%lx", reinterpret_cast<unsigned long>(&robust));
    victim::say("robust_value=%d", *reinterpret_cast<int*>(&robust));
    order.store(1);
  }
  while (true) {
    if (crashing.load() == 1 + index || crashing.load() == -1) {
      *reinterpret_cast<volatile long*>(0x2000 + index) = index;
    }
    if (!spin) usleep(1000);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long threads = victim::argument(argc, argv, 1, 2);
  std::string directory = "/tmp";
  bool spin = false;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  auto* words = static_cast<unsigned long*>(
      mmap(nullptr, kWords * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (long i = 0; i < kWords; ++i) words[i] = victim::mix(static_cast<unsigned long>(i));
  victim::say("words=0x%lx", reinterpret_cast<unsigned long>(words));
  victim::say("words_count=%ld", kWords);
  for (int i = 2; i < argc; ++i) {
    if (strcmp(argv[i], "spin") == 0) {
      spin = true;
    } else if (strncmp(argv[i], "dir=", 4) == 0) {
      directory = argv[i] + 4;
    } else {
      claim(argv[i], directory);
    }
  }
  for (long i = 0; i < threads; ++i) std::thread(worker, i, spin).detach();
  victim::await_begun(threads);
  while (threads > 0 && order.load() == 0) sched_yield();
  victim::ready();
  victim::serve([&](const std::string& line) {
    if (line == "crash worker")
      crashing = 2;
    else if (line == "crash all")
      crashing = -1;
    else if (line == "recover") {
      for (int i = 0; i < 1000; ++i) fault_and_recover();
      victim::say("recovered");
    } else if (line.rfind("crash ", 0) == 0) {
      crash_now(line.substr(6));
    }
  });
  victim::finish_ok();
}
