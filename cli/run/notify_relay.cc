// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include <cli/run/notify_relay.h>

namespace doppel {
namespace {

constexpr std::size_t kMostDescriptors = 253;  // SCM_MAX_FD

struct UnixAddress {
  sockaddr_un address{};
  socklen_t size = 0;
};

std::optional<UnixAddress> unix_address(std::string_view name) {
  UnixAddress result;
  result.address.sun_family = AF_UNIX;
  if (name.size() < 2 || name.size() >= sizeof result.address.sun_path) return std::nullopt;
  if (name.front() != '/' && name.front() != '@') return std::nullopt;
  std::memcpy(result.address.sun_path, name.data(), name.size());
  const bool abstract = name.front() == '@';
  if (abstract) result.address.sun_path[0] = '\0';
  result.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
  return result;
}

}  // namespace

std::string relayed_message(std::string_view message) {
  std::string kept;
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    const std::string_view line = message.substr(0, end);
    if (!line.empty() && !line.starts_with("MAINPID=") && !line.starts_with("MAINPIDFDID=")) {
      if (!kept.empty()) kept += '\n';
      kept += line;
    }
    if (end == std::string_view::npos) break;
    message.remove_prefix(end + 1);
  }
  return kept;
}

Result<NotifyRelay> NotifyRelay::open(Sys& sys, std::string_view manager) {
  if (!unix_address(manager)) {
    return fail(Errc::unsupported, "use NOTIFY_SOCKET", std::string(manager));
  }
  NotifyRelay relay(sys);
  relay.manager_ = manager;
  const long fd = sys.invoke(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  DOPPEL_TRY(check(fd, "make a socket for the service's messages"));
  relay.socket_.reset(static_cast<int>(fd));
  // The kernel gives it an abstract name (unix(7), autobind).
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  DOPPEL_TRY(check(sys.invoke(SYS_bind, fd, reinterpret_cast<long>(&address), sizeof(sa_family_t)),
                   "name the socket for the service's messages"));
  socklen_t size = sizeof address;
  DOPPEL_TRY(check(sys.invoke(SYS_getsockname, fd, reinterpret_cast<long>(&address),
                              reinterpret_cast<long>(&size)),
                   "learn the name of the socket"));
  relay.address_ =
      "@" + std::string(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  return relay;
}

void NotifyRelay::relay() {
  // As many as a burst has; the rest comes round again.
  for (int i = 0; i < 64; ++i) {
    std::array<char, 8192> text;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> control;
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const long got = sys_->recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return;
    std::vector<UniqueFd> owned;
    std::vector<int> fds;
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
         each = CMSG_NXTHDR(&message, each)) {
      if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      fds.resize(count);
      std::memcpy(fds.data(), CMSG_DATA(each), count * sizeof(int));
      for (const int fd : fds) owned.emplace_back(fd);
    }
    const std::string kept =
        relayed_message(std::string_view(text.data(), static_cast<std::size_t>(got)));
    if (kept.empty() && fds.empty()) continue;
    const std::optional<UnixAddress> to = unix_address(manager_);
    iovec out{const_cast<char*>(kept.data()), kept.size()};
    msghdr passed{};
    passed.msg_name = const_cast<sockaddr_un*>(&to->address);
    passed.msg_namelen = to->size;
    passed.msg_iov = &out;
    passed.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> out_control{};
    if (!fds.empty()) {
      passed.msg_control = out_control.data();
      passed.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&passed);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
    }
    (void)sys_->sendmsg(socket_.get(), &passed, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

void NotifyRelay::say(std::string_view text) {
  const std::optional<UnixAddress> to = unix_address(manager_);
  iovec out{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_un*>(&to->address);
  message.msg_namelen = to->size;
  message.msg_iov = &out;
  message.msg_iovlen = 1;
  (void)sys_->sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace doppel
