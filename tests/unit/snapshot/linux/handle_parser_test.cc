// SPDX-License-Identifier: Apache-2.0
//
// fdinfo and socket tables: real lines, lines of other kernels, and nonsense.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include <snapshot/linux/handle_parser.h>

namespace doppel {
namespace {

TEST(HandleParser, ReadsFdinfo) {
  const FdInfo file = parse_fdinfo("pos:\t4096\nflags:\t02100002\nmnt_id:\t27\nino:\t9\n");
  EXPECT_EQ(file.position, 4096u);
  EXPECT_EQ(file.flags, 02100002u);
  EXPECT_EQ(file.userfault_features, std::nullopt);
  EXPECT_EQ(file.registered_buffers, 0u);

  const FdInfo fault = parse_fdinfo(
      "pos:\t0\nflags:\t02004000\nmnt_id:\t15\nino:\t1\npending:\t0\ntotal:\t0\n"
      "API:\taa:3:800000000000001f\n");
  EXPECT_EQ(fault.userfault_features, 3u);
}

TEST(HandleParser, AddsUpRegisteredBuffers) {
  const FdInfo ring = parse_fdinfo(
      "pos:\t0\nflags:\t02000002\nSqMask:\t0x7\nUserFiles:\t0\nUserBufs:\t3\n"
      "    0: 0x7f0000000000/1048576\n    1: <none>\n    2: 0x7f0000200000/4096\n"
      "PollList:\n    5: 0x1/99\n");
  EXPECT_EQ(ring.registered_buffers, 1048576u + 4096);
}

struct Kind {
  const char* link;
  std::uint64_t flags;
  const char* kind;
};

class HandleKind : public testing::TestWithParam<Kind> {};

TEST_P(HandleKind, IsToldFromTheLink) {
  EXPECT_EQ(handle_kind(GetParam().link, GetParam().flags), GetParam().kind);
}

INSTANTIATE_TEST_SUITE_P(
    Links, HandleKind,
    testing::Values(Kind{"/var/log/x", 0, "file"}, Kind{"/var/log", 0200000, "directory"},
                    Kind{"/dev/null", 2, "device"}, Kind{"/dev/shm/x", 2, "file"},
                    Kind{"/memfd:x (deleted)", 2, "memfd"}, Kind{"socket:[12]", 2, "socket"},
                    Kind{"pipe:[12]", 1, "pipe"}, Kind{"anon_inode:[eventpoll]", 2, "epoll"},
                    Kind{"anon_inode:[eventfd]", 2, "eventfd"},
                    Kind{"anon_inode:[userfaultfd]", 2, "userfaultfd"},
                    Kind{"anon_inode:[io_uring]", 2, "io_uring"},
                    Kind{"anon_inode:[pidfd]", 2, "pidfd"}, Kind{"pidfd:[12]", 2, "pidfd"},
                    Kind{"anon_inode:inotify", 0, "inotify"},
                    Kind{"anon_inode:kvm-vcpu:0", 2, "kvm-vcpu:0"},
                    Kind{"anon_inode:bpf-map", 2, "bpf-map"},
                    Kind{"mnt:[4026531841]", 0, "namespace"}, Kind{"", 0, "unknown"},
                    Kind{"anon_inode:", 0, "anonymous"}));

TEST(HandleParser, ReadsSocketInodes) {
  EXPECT_EQ(socket_inode("socket:[4711]"), 4711u);
  EXPECT_EQ(socket_inode("socket:[]"), std::nullopt);
  EXPECT_EQ(socket_inode("socket:[47"), std::nullopt);
  EXPECT_EQ(socket_inode("/tmp/socket:[1]"), std::nullopt);
}

TEST(HandleParser, ReadsTcpLines) {
  EXPECT_EQ(parse_inet_line("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                            "retrnsmt   uid  timeout inode",
                            "tcp"),
            std::nullopt);
  const auto listening = parse_inet_line(
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
      "4711 1 ffff88 100 0 0 10 0",
      "tcp");
  ASSERT_TRUE(listening.has_value());
  EXPECT_EQ(listening->inode, 4711u);
  EXPECT_EQ(listening->text, "tcp 127.0.0.1:8080 listening");
  const auto open = parse_inet_line(
      "   1: 00000000000000000000000001000000:0050 B80D01200000000067452301EFCDAB89:C001 01 "
      "00000000:00000000 00:00000000 00000000  1000        0 4712 1 ffff88 100 0 0 10 0",
      "tcp");
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->text, "tcp [::1]:80 -> [2001:db8::123:4567:89ab:cdef]:49153 established");
  const auto bound = parse_inet_line(
      "  10: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 "
      "4713 2 ffff88 0",
      "udp");
  ASSERT_TRUE(bound.has_value());
  EXPECT_EQ(bound->text, "udp 0.0.0.0:53");
  // A connection without an owner any more (time-wait): no descriptor has it.
  EXPECT_EQ(parse_inet_line("   0: 0100007F:1F90 0100007F:0050 06 0:0 3:1 0 0 0 0 3 ffff", "tcp"),
            std::nullopt);
}

TEST(HandleParser, ReadsUnixLines) {
  const auto named =
      parse_unix_line("ffff888: 00000002 00000000 00010000 0001 01 4714 /run/with blank.sock");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->inode, 4714u);
  EXPECT_EQ(named->text, "unix stream /run/with blank.sock listening");
  EXPECT_EQ(parse_unix_line("ffff888: 00000003 00000000 00000000 0002 03 4715")->text,
            "unix dgram");
  EXPECT_EQ(parse_unix_line("Num       RefCount Protocol Flags    Type St Inode Path"),
            std::nullopt);
}

TEST(HandleParser, ReadsOtherTables) {
  const auto netlink = parse_other_line("ffff 0   1234 00000000 0 0 0 2 0 4716", "netlink");
  ASSERT_TRUE(netlink.has_value());
  EXPECT_EQ(netlink->inode, 4716u);
  EXPECT_EQ(parse_other_line("ffff 3 3 0003 2 1 0 0 4717", "packet")->inode, 4717u);
  EXPECT_EQ(parse_other_line("sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode", "netlink"),
            std::nullopt);
}

TEST(HandleParser, AnyBytesGiveAnAnswer) {
  std::mt19937 random(3);
  const std::string tcp =
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1";
  for (int round = 0; round < 5000; ++round) {
    std::string line = tcp;
    for (unsigned changes = random() % 6; changes-- > 0;) {
      line[random() % line.size()] = static_cast<char>(random());
    }
    line.resize(random() % (line.size() + 1));
    (void)parse_inet_line(line, "tcp");
    (void)parse_unix_line(line);
    (void)parse_other_line(line, "netlink");
    (void)parse_fdinfo(line);
    (void)handle_kind(line, random());
  }
}

}  // namespace
}  // namespace doppel
