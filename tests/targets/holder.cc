// SPDX-License-Identifier: Apache-2.0
//
// Holds what a restart waits for: the write end of a pipe (descriptor 3, given by the test), a
// listening port, a flock, a POSIX lock, a unix socket. "close" gives all of it up at once and says
// "closed": from then on nobody else may hold any of it. holder DIRECTORY
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <tests/targets/victim.h>

int main(int argc, char** argv) {
  VICTIM_CHECK(argc > 1);
  const std::string directory = argv[1];
  const int lock = open((directory + "/lock").c_str(), O_RDWR | O_CREAT, 0600);
  VICTIM_CHECK(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0);
  const int record = open((directory + "/record").c_str(), O_RDWR | O_CREAT, 0600);
  struct flock range = {};
  range.l_type = F_WRLCK;
  VICTIM_CHECK(record >= 0 && fcntl(record, F_SETLK, &range) == 0);
  const int mapped = open((directory + "/mapped").c_str(), O_RDWR | O_CREAT, 0600);
  VICTIM_CHECK(mapped >= 0 && ftruncate(mapped, 8192) == 0 &&
               flock(mapped, LOCK_EX | LOCK_NB) == 0);
  void* window = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
  VICTIM_CHECK(window != MAP_FAILED);
  memcpy(window, "shared window", 13);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  VICTIM_CHECK(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
               listen(listener, 5) == 0);
  VICTIM_CHECK(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  victim::say("port=%d", ntohs(address.sin_port));
  victim::ready();
  victim::serve([&](const std::string& command) {
    if (command != "close") return;
    munmap(window, 8192);
    close(3);
    close(lock);
    close(record);
    close(mapped);
    close(listener);
    victim::say("closed");
  });
  victim::finish_ok();
}
