// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <snapshot/linux/tracer_messages.h>

namespace doppel {
namespace {

constexpr std::size_t kMostFds = 8;

}  // namespace

TracerReply TracerReply::of(const Result<>& result) {
  TracerReply reply;
  reply.ok = result.has_value();
  if (!result) {
    const Error& error = result.error();
    reply.code = error.code;
    reply.os = error.os;
    reply.line = error.line;
    reply.step = error.step;
    reply.file = error.file;
    const std::size_t size = std::min(error.subject.size(), sizeof reply.subject - 1);
    std::memcpy(reply.subject, error.subject.data(), size);
  }
  return reply;
}

Result<> TracerReply::result() const {
  if (ok) return {};
  return fail(
      Error{.code = code, .os = os, .step = step, .subject = subject, .file = file, .line = line});
}

Result<> send_packet(Sys& sys, int socket, std::span<const std::byte> bytes,
                     std::span<const int> fds, bool wait) {
  iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  while (true) {
    const long sent = sys.sendmsg(socket, &message, wait ? 0 : MSG_DONTWAIT);
    if (sent == -EINTR) continue;
    if (sent == -EAGAIN) return fail(Errc::limit, "send to the tracer");
    DOPPEL_TRY(check(sent, "send to the tracer"));
    return {};
  }
}

Result<std::size_t> receive_packet(Sys& sys, int socket, std::span<std::byte> bytes,
                                   std::vector<UniqueFd>* fds) {
  iovec vector{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  long size = 0;
  do {
    size = sys.recvmsg(socket, &message, 0);
  } while (size == -EINTR);
  // A peer that died with our message unread resets the connection: gone all the same.
  if (size == -ECONNRESET) return std::size_t{0};
  DOPPEL_TRY(check(size, "hear from the tracer"));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      UniqueFd owner(fd);
      if (fds != nullptr) fds->push_back(std::move(owner));
    }
  }
  return static_cast<std::size_t>(size);
}

}  // namespace doppel
