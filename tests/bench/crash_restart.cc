// SPDX-License-Identifier: Apache-2.0
//
// From the crash of a service until another process can have its port and its lock: under `doppel
// run`, which dumps it; killed without any dump; killed after a forked clone was made of it; killed
// after gcore. The service runs from this very program (--service).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>

namespace doppel::bench {
namespace {

/// The port is the kernel's choice, told on stdout; the lock is a file's. Ends as a byte on stdin
/// says: 's' by SIGSEGV, 'k' by SIGKILL, 'f' by SIGKILL with a forked clone left behind.
[[noreturn]] void serve(std::size_t mib, int threads, const char* lock) {
  if (mib > 0) {
    void* heap =
        ::mmap(nullptr, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (heap == MAP_FAILED) die("mmap");
    ::madvise(heap, mib << 20, MADV_NOHUGEPAGE);
    std::memset(heap, 1, mib << 20);
  }
  for (int i = 1; i < threads; ++i) std::thread([] { ::pause(); }).detach();
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const int file = ::open(lock, O_CREAT | O_RDWR, 0600);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 8) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      ::flock(file, LOCK_EX) != 0) {
    die("claim");
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  char how = 0;
  if (::read(0, &how, 1) != 1) ::_exit(1);
  if (how == 'f' && ::fork() == 0) {
    ::close_range(0, ~0u, 0);
    ::pause();
  }
  if (how == 's') *reinterpret_cast<volatile int*>(8) = 1;
  ::kill(::getpid(), SIGKILL);
  ::pause();
  ::_exit(1);
}

struct Scene {
  std::size_t mib = 0;
  int threads = 0;
};

/// Milliseconds from the order to crash until both port and lock could be taken by us.
double outage(const Settings& settings, const Scene& scene, char how, bool gcore) {
  const std::string lock = settings.directory + "/bench.lock";
  const std::string dumps = settings.directory + "/bench.dumps";
  std::vector<std::string> words;
  if (how == 's') {
    (void)!::system(("mkdir -p " + dumps).c_str());
    words = {settings.doppel, "run", "-q", "--dump-dir", dumps, "--"};
  }
  words.insert(words.end(), {"", "--service", std::to_string(scene.mib),
                             std::to_string(scene.threads), lock});
  // Not /proc/self/exe: under doppel that is doppel.
  char self[4096] = {};
  if (::readlink("/proc/self/exe", self, sizeof self - 1) < 0) die("readlink");
  words[words.size() - 5] = self;
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) die("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  char line[32] = {};
  if (::read(out[0], line, sizeof line - 1) <= 0) die("the service did not start");
  const int port = std::atoi(line);
  ::usleep(100'000);
  const Clock::time_point begin = Clock::now();
  if (gcore) {
    run_command({"gcore", "-o", settings.directory + "/bench.gcore", std::to_string(child)});
  }
  if (::write(in[1], &how, 1) != 1) die("write");
  const int file = ::open(lock.c_str(), O_RDWR | O_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  bool bound = false;
  bool locked = false;
  while (!bound || !locked) {
    if (!bound) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
      ::close(fd);
    }
    if (!locked) locked = ::flock(file, LOCK_EX | LOCK_NB) == 0;
    if (milliseconds_since(begin) > 120'000) die("the port was not given back");
    // Two processors: looking without a pause would keep the dying from theirs.
    if (!bound || !locked) ::usleep(20);
  }
  const double took = milliseconds_since(begin);
  ::close(file);
  ::close(in[1]);
  ::close(out[0]);
  ::waitpid(child, nullptr, 0);
  // The forked clone, in the group that the service led.
  if (how == 'f') ::kill(-child, SIGKILL);
  (void)!::system(("rm -rf " + dumps + " " + settings.directory + "/bench.gcore.*").c_str());
  ::unlink(lock.c_str());
  return took;
}

double several(const Settings& settings, const Scene& scene, char how, bool gcore,
               unsigned rounds) {
  std::vector<double> times;
  for (unsigned i = 0; i < rounds; ++i) {
    times.push_back(outage(settings, scene, how, gcore));
    std::fprintf(stderr, "%zu MiB, %d threads, %c%s: %.2f ms\n", scene.mib, scene.threads, how,
                 gcore ? " after gcore" : "", times.back());
  }
  return median(times);
}

int run(const Settings& settings) {
  const Scene large{settings.brief ? 32u : 8192u, 16};
  const Scene many{settings.brief ? 0u : 1024u, settings.brief ? 64 : 1024};
  const unsigned rounds = settings.brief ? 1 : 3;
  const std::string scene = text("%zu MiB, %d threads", large.mib, large.threads);
  const double doppel = several(settings, large, 's', false, rounds);
  const double killed = several(settings, large, 'k', false, rounds);
  const double forked = several(settings, large, 'f', false, rounds);
  const double gcore = several(settings, large, 'k', true, 1);
  print({.id = "P3",
         .scene = scene,
         .figure = "crash until port and lock are free, doppel run",
         .value = doppel,
         .unit = "ms",
         .goal = Goal::at_most,
         .limit = 3,
         .beside = ""});
  print({.id = "-",
         .scene = scene,
         .figure = "SIGKILL without a dump / doppel run",
         .value = killed / doppel,
         .beside = text("%.1f / %.1f ms", killed, doppel)});
  print({.id = "-",
         .scene = scene,
         .figure = "forked clone, then SIGKILL / doppel run",
         .value = forked / doppel,
         .beside = text("%.1f / %.1f ms", forked, doppel)});
  print({.id = "-",
         .scene = scene,
         .figure = "gcore, then SIGKILL / doppel run",
         .value = gcore / doppel,
         .beside = text("%.0f / %.1f ms", gcore, doppel)});
  print({.id = "P3",
         .scene = text("%zu MiB, %d threads", many.mib, many.threads),
         .figure = "crash until port and lock are free, doppel run",
         .value = several(settings, many, 's', false, rounds),
         .unit = "ms",
         .goal = Goal::at_most,
         .limit = 35,
         .beside = ""});
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "--service") == 0) {
    doppel::bench::serve(std::strtoul(argv[2], nullptr, 10), std::atoi(argv[3]), argv[4]);
  }
  return doppel::bench::run(doppel::bench::parse_settings(argc, argv));
}
