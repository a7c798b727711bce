// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <unordered_map>

#include <snapshot/linux/handle_scan.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

constexpr std::size_t kTableLimit = 64u << 20;

/// True for a descriptor that was closed after it was listed.
bool is_closed(const Error& error) {
  return error.os == ENOENT && error.code == Errc::unsupported;
}

struct Table {
  const char* file;
  std::string_view name;  // what the description begins with
};

constexpr Table kTables[] = {
    {"net/tcp", "tcp"},   {"net/tcp6", "tcp"},        {"net/udp", "udp"},
    {"net/udp6", "udp"},  {"net/unix", "unix"},       {"net/netlink", "netlink"},
    {"net/raw", "raw"},   {"net/raw6", "raw"},        {"net/packet", "packet"},
    {"net/icmp", "icmp"}, {"net/udplite", "udplite"},
};

std::optional<SocketEntry> parse_line(const Table& table, std::string_view line) {
  if (table.name == "unix") return parse_unix_line(line);
  if (table.name == "netlink" || table.name == "packet") {
    return parse_other_line(line, table.name);
  }
  return parse_inet_line(line, table.name);
}

using Wanted = std::unordered_map<std::uint64_t, std::string>;

/// Names the sockets in `wanted` that `table` has. Takes the table piece by piece: a busy machine's
/// has a line per connection of every process. Returns how many were named.
std::size_t resolve(const ProcDir& process, const Table& table, Wanted& wanted) {
  std::string carry;
  std::size_t size = 0, named = 0;
  const auto take_line = [&](std::string_view line) {
    auto entry = parse_line(table, line);
    if (!entry) return;
    const auto socket = wanted.find(entry->inode);
    if (socket == wanted.end() || !socket->second.empty()) return;
    socket->second = std::move(entry->text);
    ++named;
  };
  // A table that cannot be read, or not to its end, only leaves sockets without a name.
  (void)process
      .read_pieces(table.file,
                   [&](std::string_view piece) -> Result<> {
                     size += piece.size();
                     if (size > kTableLimit) return fail(Errc::limit, "read sockets", table.file);
                     while (!piece.empty()) {
                       const std::size_t end = piece.find('\n');
                       carry += piece.substr(0, end);
                       if (end == std::string_view::npos) break;
                       take_line(carry);
                       carry.clear();
                       piece.remove_prefix(end + 1);
                     }
                     return {};
                   })
      .has_value();
  return named;
}

}  // namespace

Result<FdInfo> read_fdinfo(const ProcDir& process, int number) {
  const std::string name = "fdinfo/" + std::to_string(number);
  const std::string text = DOPPEL_TRY(process.read_text(name.c_str()));
  return parse_fdinfo(text);
}

Result<> for_each_descriptor(const ProcDir& process,
                             const std::function<void(int, std::string_view)>& take) {
  std::vector<int> numbers = DOPPEL_TRY(process.list_descriptors());
  std::ranges::sort(numbers);
  for (const int number : numbers) {
    const auto link = process.read_link(("fd/" + std::to_string(number)).c_str());
    if (link) {
      take(number, *link);
    } else if (!is_closed(link.error())) {
      return fail(link.error());
    }
  }
  return {};
}

Result<std::vector<Handle>> scan_handles(const ProcDir& process) {
  std::vector<Handle> handles;
  DOPPEL_TRY(for_each_descriptor(process, [&](int number, std::string_view link) {
    handles.push_back({.number = static_cast<std::uint64_t>(number),
                       .kind = {},
                       .target = std::string(link),
                       .flags = 0,
                       .position = 0});
  }));
  Wanted sockets;
  for (Handle& handle : handles) {
    const auto info = read_fdinfo(process, static_cast<int>(handle.number));
    if (info) {
      handle.flags = info->flags;
      handle.position = info->position;
    } else if (info.error().code == Errc::gone) {
      return fail(info.error());
    }
    handle.kind = handle_kind(handle.target, handle.flags);
    if (const auto inode = socket_inode(handle.target)) sockets.emplace(*inode, std::string());
  }
  std::size_t missing = sockets.size();
  for (const Table& table : kTables) {
    if (missing == 0) break;
    missing -= resolve(process, table, sockets);
  }
  for (Handle& handle : handles) {
    const auto inode = socket_inode(handle.target);
    if (!inode) continue;
    const std::string& name = sockets[*inode];
    if (!name.empty()) handle.target = name;
  }
  return handles;
}

}  // namespace doppel
