// SPDX-License-Identifier: Apache-2.0
//
// A sink in memory, for tests and for callers that want the dump as bytes. What was written belongs
// to the caller's BufferSink::Contents, so that it can be looked at after the job that owned the
// sink is gone.
#ifndef DOPPEL_DUMPWRITER_SINK_BUFFER_SINK_H_
#define DOPPEL_DUMPWRITER_SINK_BUFFER_SINK_H_

#include <memory>
#include <vector>

#include <dumpwriter/sink/sink.h>

namespace doppel {

class BufferSink final : public Sink {
 public:
  struct Contents {
    std::vector<std::byte> bytes;
    bool committed = false;  ///< false after the sink is gone: the dump was given up
  };

  explicit BufferSink(std::shared_ptr<Contents> contents) : contents_(std::move(contents)) {}

  Result<> write(std::span<const std::byte> bytes) override;
  Result<> commit() override;

 private:
  std::shared_ptr<Contents> contents_;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_SINK_BUFFER_SINK_H_
