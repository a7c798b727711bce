// SPDX-License-Identifier: Apache-2.0
//
// The descriptors of real processes, described.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <snapshot/linux/handle_scan.h>
#include <tests/unit/snapshot/linux/child_process.h>
#include <tests/unit/snapshot/linux/scripted_sys.h>

namespace doppel {
namespace {

const Handle* find(const std::vector<Handle>& handles, std::uint64_t number) {
  const auto found = std::ranges::find(handles, number, &Handle::number);
  return found == handles.end() ? nullptr : &*found;
}

TEST(HandleScan, DescribesEveryKind) {
  int ports[2] = {};
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const ChildProcess child([&] {
    ::dup2(::open("/etc/passwd", O_RDONLY | O_CLOEXEC), 100);
    if (::lseek(100, 17, SEEK_SET) != 17) return false;
    ::dup2(::open("/etc", O_RDONLY | O_DIRECTORY), 101);
    ::dup2(::eventfd(0, 0), 102);
    ::dup2(::epoll_create1(0), 103);
    ::dup2(::memfd_create("ring", 0), 104);
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener, 1) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      return false;
    }
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(client, reinterpret_cast<sockaddr*>(&address), size) != 0) return false;
    sockaddr_in own{};
    ::getsockname(client, reinterpret_cast<sockaddr*>(&own), &size);
    ::dup2(listener, 105);
    ::dup2(client, 106);
    const int local = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string abstract = "doppel-handles-" + std::to_string(::getpid());
    std::memcpy(name.sun_path + 1, abstract.data(), abstract.size());
    if (::bind(local, reinterpret_cast<sockaddr*>(&name),
               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + abstract.size())) !=
        0) {
      return false;
    }
    ::dup2(local, 107);
    const int out[2] = {ntohs(address.sin_port), ntohs(own.sin_port)};
    return ::write(told[1], out, sizeof out) == sizeof out;
  });
  ASSERT_TRUE(child.ready());
  ASSERT_EQ(::read(told[0], ports, sizeof ports), static_cast<ssize_t>(sizeof ports));
  ::close(told[0]);
  ::close(told[1]);

  const auto dir = ProcDir::open(Sys::real(), child.pid());
  ASSERT_TRUE(dir.has_value());
  const auto handles = scan_handles(*dir);
  ASSERT_TRUE(handles.has_value());
  EXPECT_TRUE(std::ranges::is_sorted(*handles, {}, &Handle::number));

  const Handle* file = find(*handles, 100);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->kind, "file");
  EXPECT_EQ(file->target, "/etc/passwd");
  EXPECT_EQ(file->position, 17u);
  EXPECT_EQ(file->flags & O_ACCMODE, static_cast<unsigned>(O_RDONLY));
  EXPECT_EQ(find(*handles, 101)->kind, "directory");
  EXPECT_EQ(find(*handles, 102)->kind, "eventfd");
  EXPECT_EQ(find(*handles, 103)->kind, "epoll");
  EXPECT_EQ(find(*handles, 104)->kind, "memfd");
  const std::string server = "127.0.0.1:" + std::to_string(ports[0]);
  const std::string own = "127.0.0.1:" + std::to_string(ports[1]);
  EXPECT_EQ(find(*handles, 105)->kind, "socket");
  EXPECT_EQ(find(*handles, 105)->target, "tcp " + server + " listening");
  EXPECT_EQ(find(*handles, 106)->target, "tcp " + own + " -> " + server + " established");
  EXPECT_EQ(find(*handles, 107)->target,
            "unix dgram @doppel-handles-" + std::to_string(child.pid()));
}

TEST(HandleScan, WithoutTablesSocketsKeepTheirNumber) {
  const ChildProcess child([] { return ::dup2(::socket(AF_INET, SOCK_DGRAM, 0), 100) == 100; });
  ASSERT_TRUE(child.ready());
  ScriptedSys sys;
  for (const char* table : {"net/tcp", "net/tcp6", "net/udp", "net/udp6", "net/unix", "net/netlink",
                            "net/raw", "net/raw6", "net/packet", "net/icmp", "net/udplite"}) {
    sys.files[table] = {.text = {}, .error = EACCES};
  }
  const auto handles = scan_handles(*ProcDir::open(sys, child.pid()));
  ASSERT_TRUE(handles.has_value());
  EXPECT_THAT(find(*handles, 100)->target, testing::StartsWith("socket:["));
}

TEST(HandleScan, ADescriptorThatCloses) {
  // Listed, and gone when it is looked at: left out, no error.
  const ChildProcess child([] { return ::dup2(0, 100) == 100; });
  ASSERT_TRUE(child.ready());
  ScriptedSys sys;
  sys.hook = [](long number, long, long b, long) -> std::optional<long> {
    if (number == SYS_readlinkat &&
        std::string_view(reinterpret_cast<const char*>(b)) == "fd/100") {
      return -ENOENT;
    }
    return std::nullopt;
  };
  const auto handles = scan_handles(*ProcDir::open(sys, child.pid()));
  ASSERT_TRUE(handles.has_value());
  EXPECT_EQ(find(*handles, 100), nullptr);
  EXPECT_NE(find(*handles, 0), nullptr);
}

TEST(HandleScan, DenialAndDeathAreErrors) {
  ScriptedSys sys;
  sys.files["fd"] = {.text = {}, .error = EACCES};
  EXPECT_EQ(scan_handles(*ProcDir::open(sys, ::getpid())).error().code, Errc::denied);
  ChildProcess child([] { return true; });
  const auto dir = ProcDir::open(Sys::real(), child.pid());
  child.reap();
  EXPECT_EQ(scan_handles(*dir).error().code, Errc::gone);
}

}  // namespace
}  // namespace doppel
