// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <array>
#include <cstring>

#include <snapshot/linux/handle_parser.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

constexpr std::uint64_t kDirectory = 0200000;  // O_DIRECTORY on x86-64

/// "0100007F:1F90" or the 32 digits of IPv6: words in the machine's order, each of four bytes in
/// the network's (net/ipv4/tcp_ipv4.c get_tcp4_sock()). Sets `port`.
std::optional<std::string> parse_endpoint(std::string_view text, std::uint32_t& port) {
  const std::string_view digits = text::next_field(text, ':');
  const auto number = text::number<std::uint32_t>(text, 16);
  if (!number || (digits.size() != 8 && digits.size() != 32)) return std::nullopt;
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < digits.size() / 8; ++i) {
    const auto word = text::number<std::uint32_t>(digits.substr(i * 8, 8), 16);
    if (!word) return std::nullopt;
    words[i] = *word;
  }
  port = *number;
  char address[INET6_ADDRSTRLEN];
  const bool v6 = digits.size() == 32;
  if (::inet_ntop(v6 ? AF_INET6 : AF_INET, words.data(), address, sizeof address) == nullptr) {
    return std::nullopt;
  }
  const std::string shown = v6 ? "[" + std::string(address) + "]" : address;
  return shown + ":" + std::to_string(*number);
}

/// include/net/tcp_states.h
std::string_view tcp_state(std::string_view code) {
  constexpr std::array<std::string_view, 13> kStates = {
      "",       "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2",  "time-wait",
      "closed", "close-wait",  "last-ack", "listening",    "closing",    "syn-received"};
  const auto number = text::number<std::size_t>(code, 16);
  return number && *number < kStates.size() ? kStates[*number] : std::string_view();
}

std::string_view unix_type(std::string_view code) {
  const auto number = text::number<unsigned>(code, 16);
  switch (number.value_or(0)) {
    case 1:
      return "stream";
    case 2:
      return "dgram";
    case 5:
      return "seqpacket";
    default:
      return "";
  }
}

}  // namespace

FdInfo parse_fdinfo(std::string_view text) {
  FdInfo info;
  info.position = text::number<std::uint64_t>(text::value_of(text, "pos")).value_or(0);
  info.flags = text::number<std::uint64_t>(text::value_of(text, "flags"), 8).value_or(0);
  // "API:\taa:FEATURES:IOCTLS"
  std::string_view api = text::value_of(text, "API");
  if (!api.empty()) {
    text::next_field(api, ':');
    info.userfault_features = text::hex(text::next_field(api, ':'));
  }
  // "UserBufs:\tCOUNT", then one "    0: 0xADDRESS/LENGTH" (or "<none>") per buffer.
  std::string_view line;
  bool in_buffers = false;
  while (text::next_line(text, line)) {
    if (line.starts_with("UserBufs:")) {
      in_buffers = true;
      continue;
    }
    if (!in_buffers) continue;
    std::string_view rest = text::trim(line);
    if (!text::number<std::uint32_t>(text::next_field(rest, ':'))) break;
    const std::string_view range = text::trim(rest);
    const std::size_t slash = range.rfind('/');
    if (slash == std::string_view::npos) continue;
    info.registered_buffers += text::number<std::uint32_t>(range.substr(slash + 1)).value_or(0);
  }
  return info;
}

std::string handle_kind(std::string_view link, std::uint64_t flags) {
  if (link.starts_with("socket:")) return "socket";
  if (link.starts_with("pipe:")) return "pipe";
  constexpr std::string_view kUnnamed = "anon_inode:";
  if (link.starts_with(kUnnamed)) {
    // "[eventpoll]", "[io_uring]", "[timerfd]", but also "inotify", "kvm-vcpu:0", "bpf-map".
    std::string_view name = link.substr(kUnnamed.size());
    if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
    if (name == "eventpoll") return "epoll";
    return std::string(name.empty() ? "anonymous" : name);
  }
  // Since 6.9 a pidfd lives in a file system of its own, and its link is "pidfd:[N]".
  if (link.starts_with("pidfd:")) return "pidfd";
  if (link.starts_with("/memfd:")) return "memfd";
  if (link.starts_with("/secretmem")) return "secretmem";
  if (!link.starts_with('/')) {
    return link.find(":[") != std::string_view::npos ? "namespace" : "unknown";
  }
  if ((flags & kDirectory) != 0) return "directory";
  if (link.starts_with("/dev/") && !link.starts_with("/dev/shm/") &&
      !link.starts_with("/dev/mqueue/") && !link.starts_with("/dev/hugepages/")) {
    return "device";
  }
  return "file";
}

std::optional<std::uint64_t> socket_inode(std::string_view link) {
  constexpr std::string_view kBegin = "socket:[";
  if (!link.starts_with(kBegin) || !link.ends_with(']')) return std::nullopt;
  link.remove_prefix(kBegin.size());
  link.remove_suffix(1);
  return text::number<std::uint64_t>(link);
}

std::optional<SocketEntry> parse_inet_line(std::string_view line, std::string_view protocol) {
  text::next_word(line);  // slot
  std::uint32_t local_port = 0, remote_port = 0;
  const auto local = parse_endpoint(text::next_word(line), local_port);
  const auto remote = parse_endpoint(text::next_word(line), remote_port);
  const std::string_view state = text::next_word(line);
  for (int skip = 0; skip < 5; ++skip) text::next_word(line);  // queues, timers, user
  const auto inode = text::number<std::uint64_t>(text::next_word(line));
  if (!local || !remote || !inode || *inode == 0) return std::nullopt;
  SocketEntry entry{*inode, std::string(protocol) + " " + *local};
  if (remote_port != 0) entry.text += " -> " + *remote;
  if (protocol.starts_with("tcp")) {
    const std::string_view name = tcp_state(state);
    if (!name.empty()) entry.text += " " + std::string(name);
  }
  return entry;
}

std::optional<SocketEntry> parse_unix_line(std::string_view line) {
  text::next_word(line);  // address in the kernel
  text::next_word(line);  // references
  text::next_word(line);  // protocol
  const auto flags = text::hex(text::next_word(line));
  const std::string_view type = unix_type(text::next_word(line));
  text::next_word(line);  // state
  const auto inode = text::number<std::uint64_t>(text::next_word(line));
  if (!flags || !inode || *inode == 0) return std::nullopt;
  SocketEntry entry{*inode, "unix"};
  if (!type.empty()) entry.text += " " + std::string(type);
  // One blank, then the name, which may hold blanks.
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (!line.empty()) entry.text += " " + std::string(line);
  constexpr std::uint64_t kListening = 0x10000;  // __SO_ACCEPTCON
  if ((*flags & kListening) != 0) entry.text += " listening";
  return entry;
}

std::optional<SocketEntry> parse_other_line(std::string_view line, std::string_view table) {
  std::string_view word, last;
  for (int column = 1; !(word = text::next_word(line)).empty(); ++column) {
    last = word;
    if (table == "packet" && column == 9) break;
  }
  const auto inode = text::number<std::uint64_t>(last);
  if (!inode || *inode == 0) return std::nullopt;
  return SocketEntry{*inode, std::string(table)};
}

}  // namespace doppel
