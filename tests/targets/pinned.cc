// SPDX-License-Identifier: Apache-2.0
//
// Memory that is pinned by buffers registered with io_uring: a fork copies such pages at once.
// pinned [MIB]
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <tests/targets/victim.h>

int main(int argc, char** argv) {
  const size_t size = static_cast<size_t>(victim::argument(argc, argv, 1, 8)) << 20;
  io_uring_params parameters = {};
  const int ring = static_cast<int>(syscall(SYS_io_uring_setup, 8, &parameters));
  if (ring < 0) {
    victim::say("skip=io_uring_setup: %s", strerror(errno));
    return 77;
  }
  auto* buffer = static_cast<unsigned long*>(
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  VICTIM_CHECK(buffer != MAP_FAILED);
  for (size_t i = 0; i < size / 8; i += 512) buffer[i] = victim::mix(i);
  const iovec vector = {buffer, size};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &vector, 1) != 0) {
    victim::say("skip=io_uring_register: %s", strerror(errno));
    return 77;
  }
  victim::say("buffer=%p", static_cast<void*>(buffer));
  victim::say("size=%zu", size);
  victim::ready();
  victim::serve();
  for (size_t i = 0; i < size / 8; i += 512) VICTIM_CHECK(buffer[i] == victim::mix(i));
  victim::finish_ok();
}
