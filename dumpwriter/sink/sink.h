// SPDX-License-Identifier: Apache-2.0
//
// Bytes out, in order. A sink that is destroyed before commit() leaves no trace (a pipe excepted:
// what was read at its other end cannot be taken back). It must not know what the bytes mean.
#ifndef DOPPEL_DUMPWRITER_SINK_SINK_H_
#define DOPPEL_DUMPWRITER_SINK_SINK_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include <snapshot/support/result.h>

namespace doppel {

/// Used by one thread at a time, save for interrupt().
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  /// Appends all of `bytes`, or fails; after a failure nothing more may be written.
  virtual Result<> write(std::span<const std::byte> bytes) = 0;
  /// Appends `count` zero bytes. Default: writes them. A file leaves a hole instead.
  virtual Result<> write_zeros(std::uint64_t count);
  /// Makes what was written visible under its final name.
  virtual Result<> commit() = 0;

  /// From any thread: a write() that waits for a reader gives up with Errc::cancelled, as do all
  /// later ones. Default: nothing, for sinks that never wait.
  virtual void interrupt() {}
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_SINK_SINK_H_
