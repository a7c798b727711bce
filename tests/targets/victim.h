// SPDX-License-Identifier: Apache-2.0
//
// What every victim shares: how it says that it is ready, how it says that it was harmed, how it is
// told to end. A victim checks itself: it knows what must be true while nobody disturbs it, and
// says "failed: ..." and exits 99 the moment it is not. It must not know that doppel exists.
//
// The protocol, in lines on stdin and stdout:
//   key=value   facts for the test, before "ready"
//   ready       the state to capture is reached
//   failed: why the victim was harmed; exit status 99
//   {...}       reports, on the command "report" and at the end
//   ok          the last line of a victim that was told to end (end of file on stdin) and is
//   unharmed
#ifndef DOPPEL_TESTS_TARGETS_VICTIM_H_
#define DOPPEL_TESTS_TARGETS_VICTIM_H_

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <string>

namespace victim {

/// One line on stdout, in one write: threads do not mix their lines.
[[gnu::format(printf, 1, 2)]] inline void say(const char* format, ...) {
  char line[2048];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (size > static_cast<int>(sizeof line) - 2) size = static_cast<int>(sizeof line) - 2;
  line[size++] = '\n';
  const char* from = line;
  while (size > 0) {
    const ssize_t done = write(1, from, static_cast<size_t>(size));
    if (done < 0) _exit(98);
    from += done;
    size -= static_cast<int>(done);
  }
}

[[noreturn, gnu::format(printf, 1, 2)]] inline void fail(const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  say("failed: %s", text);
  _exit(99);
}

#define VICTIM_CHECK(condition)                                                               \
  do {                                                                                        \
    if (!(condition))                                                                         \
      ::victim::fail("%s:%d: %s (%s)", __FILE_NAME__, __LINE__, #condition, strerror(errno)); \
  } while (0)

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif

/// Seconds of CLOCK_MONOTONIC.
inline double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

inline pid_t tid() {
  return static_cast<pid_t>(syscall(SYS_gettid));
}

inline void ready() {
  say("ready");
}

/// Threads that run their own code by now. Before that the C library still blocks their signals,
/// and a picture of the process would change by itself.
inline std::atomic<long> begun{0};

inline void await_begun(long threads) {
  while (begun.load() < threads) sched_yield();
}

/// Reads one line of stdin with plain blocking reads; false at end of file. EINTR means harm: no
/// victim lets a signal reach the thread that serves.
inline bool read_line(std::string& line) {
  line.clear();
  for (;;) {
    char c;
    const ssize_t got = read(0, &c, 1);
    if (got < 0) fail("read of stdin: %s", strerror(errno));
    if (got == 0) return false;
    if (c == '\n') return true;
    line += c;
  }
}

/// Serves commands until end of file, then returns; `command` gets every line.
template <class Command>
void serve(Command command) {
  std::string line;
  while (read_line(line)) command(line);
}

inline void serve() {
  serve([](const std::string&) {});
}

inline void finish_ok() {
  say("ok");
  _exit(0);
}

/// argv[index] as a number, or the default.
inline long argument(int argc, char** argv, int index, long otherwise) {
  return argc > index ? strtol(argv[index], nullptr, 0) : otherwise;
}

/// A generator whose n-th value anyone can compute again.
inline unsigned long mix(unsigned long x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdul;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ul;
  return x ^ (x >> 33);
}

}  // namespace victim

#endif  // DOPPEL_TESTS_TARGETS_VICTIM_H_
