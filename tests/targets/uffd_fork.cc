// SPDX-License-Identifier: Apache-2.0
//
// A userfaultfd with EVENT_FORK whose monitor is a thread of the same process: a fork of this
// process waits until the monitor has read the event, so stopping all threads and then forking
// never ends.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <atomic>

#include <tests/targets/victim.h>

static int fault_fd;
static std::atomic<int> forks_seen{0};

static void* monitor(void*) {
  victim::begun.fetch_add(1);
  for (;;) {
    uffd_msg message;
    const ssize_t got = read(fault_fd, &message, sizeof message);
    if (got != static_cast<ssize_t>(sizeof message))
      victim::fail("read of userfaultfd: %s", strerror(errno));
    if (message.event == UFFD_EVENT_FORK) {
      forks_seen.fetch_add(1);
      close(static_cast<int>(message.arg.fork.ufd));
    } else if (message.event == UFFD_EVENT_PAGEFAULT) {
      static char page[4096];
      memset(page, 0x77, sizeof page);
      uffdio_copy copy = {};
      copy.dst = message.arg.pagefault.address & ~0xfffull;
      copy.src = reinterpret_cast<unsigned long>(page);
      copy.len = 4096;
      if (ioctl(fault_fd, UFFDIO_COPY, &copy) != 0)
        victim::fail("UFFDIO_COPY: %s", strerror(errno));
    }
  }
  return nullptr;
}

int main() {
  fault_fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
  if (fault_fd < 0) {
    victim::say("skip=userfaultfd: %s", strerror(errno));
    return 77;
  }
  uffdio_api api = {};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_EVENT_FORK;
  if (ioctl(fault_fd, UFFDIO_API, &api) != 0) {
    victim::say("skip=UFFDIO_API: %s", strerror(errno));
    return 77;
  }
  auto* area = static_cast<volatile char*>(
      mmap(nullptr, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  VICTIM_CHECK(area != MAP_FAILED);
  uffdio_register range = {};
  range.range.start = reinterpret_cast<unsigned long>(area);
  range.range.len = 16 * 4096;
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  VICTIM_CHECK(ioctl(fault_fd, UFFDIO_REGISTER, &range) == 0);
  pthread_t thread;
  VICTIM_CHECK(pthread_create(&thread, nullptr, monitor, nullptr) == 0);
  victim::await_begun(1);
  VICTIM_CHECK(area[0] == 0x77);
  victim::say("area=%p", const_cast<char*>(area));
  victim::ready();
  victim::serve();
  // The rest of the pages was never asked for: each must still fault, and the monitor answer.
  for (int i = 1; i < 16; ++i) VICTIM_CHECK(area[i * 4096] == 0x77);
  victim::say("{\"forks_seen\":%d}", forks_seen.load());
  victim::finish_ok();
}
