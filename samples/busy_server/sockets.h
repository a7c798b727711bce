// SPDX-License-Identifier: Apache-2.0
//
// TCP on loopback, whole messages at a time.
#ifndef DOPPEL_SAMPLES_BUSY_SERVER_SOCKETS_H_
#define DOPPEL_SAMPLES_BUSY_SERVER_SOCKETS_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace sample {

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}

  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

  explicit operator bool() const { return fd_ >= 0; }

  /// False at the end of the stream or on any error, EINTR included: a program that is captured
  /// must not see one.
  bool receive(void* to, std::size_t size) const {
    auto* at = static_cast<std::byte*>(to);
    while (size > 0) {
      const ssize_t n = ::recv(fd_, at, size, 0);
      if (n <= 0) return false;
      at += n;
      size -= static_cast<std::size_t>(n);
    }
    return true;
  }

  bool send(const void* from, std::size_t size) const {
    const auto* at = static_cast<const std::byte*>(from);
    while (size > 0) {
      const ssize_t n = ::send(fd_, at, size, MSG_NOSIGNAL);
      if (n <= 0) return false;
      at += n;
      size -= static_cast<std::size_t>(n);
    }
    return true;
  }

 private:
  int fd_;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Listens on a port that the system picks, and says which.
inline Socket listen_on_loopback(std::uint16_t& port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  if (!socket || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(socket.get(), 128) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Socket();
  }
  port = ntohs(address.sin_port);
  return socket;
}

inline void no_delay(const Socket& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

inline Socket connect_to_loopback(std::uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Socket();
  }
  no_delay(socket);
  return socket;
}

}  // namespace sample

#endif  // DOPPEL_SAMPLES_BUSY_SERVER_SOCKETS_H_
