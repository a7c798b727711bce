// SPDX-License-Identifier: Apache-2.0
//
// Bytes out, in order. A sink that is destroyed before commit() leaves no trace.
#ifndef DOPPEL_DUMPWRITER_SINK_SINK_H_
#define DOPPEL_DUMPWRITER_SINK_SINK_H_

#include <cstddef>
#include <span>

#include <snapshot/support/result.h>

namespace doppel {

class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  /// Appends all of `bytes`, or fails; after a failure nothing more may be written.
  virtual Result<> write(std::span<const std::byte> bytes) = 0;
  /// Makes what was written visible under its final name.
  virtual Result<> commit() = 0;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_SINK_SINK_H_
