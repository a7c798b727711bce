// SPDX-License-Identifier: Apache-2.0
//
// What the capturing process and its tracer say to each other over a SOCK_SEQPACKET pair: one
// message a packet. Both are the same program image (fork without exec), so a step literal may
// travel as a pointer.
#ifndef DOPPEL_SNAPSHOT_LINUX_TRACER_MESSAGES_H_
#define DOPPEL_SNAPSHOT_LINUX_TRACER_MESSAGES_H_

#include <cstdint>
#include <span>
#include <vector>

#include <snapshot/model/address.h>
#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

/// To the tracer. An end of file means: the capturing process is gone, clean up and end.
struct TracerRequest {
  static constexpr std::size_t kMostRanges = 128;
  enum class Kind : std::uint32_t { release, finish };
  Kind kind = Kind::release;
  std::uint32_t count = 0;
  AddressRange ranges[kMostRanges];
};

/// From the tracer: how it went.
struct TracerReply {
  bool ok = false;
  Errc code = Errc::os;
  int os = 0;
  unsigned line = 0;
  const char* step = "";
  const char* file = "";
  char subject[256] = {};

  static TracerReply of(const Result<>& result);
  Result<> result() const;
};

/// Sends one packet, with descriptors. `wait` false: Errc::limit at once when the peer's queue is
/// full.
Result<> send_packet(Sys& sys, int socket, std::span<const std::byte> bytes,
                     std::span<const int> fds = {}, bool wait = true);

/// Receives one packet into `bytes` and returns its size; 0: the peer is gone.
Result<std::size_t> receive_packet(Sys& sys, int socket, std::span<std::byte> bytes,
                                   std::vector<UniqueFd>* fds = nullptr);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_TRACER_MESSAGES_H_
