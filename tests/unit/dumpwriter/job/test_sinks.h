// SPDX-License-Identifier: Apache-2.0
//
// Sinks that misbehave on purpose, and zstd's own opinion of what was written.
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_JOB_TEST_SINKS_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_JOB_TEST_SINKS_H_

#include <zstd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <dumpwriter/sink/buffer_sink.h>

namespace doppel::test {

/// Takes bytes into a BufferSink, asking `before_write` first.
class HookedSink final : public Sink {
 public:
  explicit HookedSink(std::shared_ptr<BufferSink::Contents> contents)
      : inner_(std::move(contents)) {}

  Result<> write(std::span<const std::byte> bytes) override {
    if (before_write) DOPPEL_TRY(before_write(bytes));
    return inner_.write(bytes);
  }

  Result<> commit() override {
    if (before_commit) DOPPEL_TRY(before_commit());
    return inner_.commit();
  }

  void interrupt() override {
    if (on_interrupt) on_interrupt();
  }

  std::function<Result<>(std::span<const std::byte>)> before_write;
  std::function<Result<>()> before_commit;
  std::function<void()> on_interrupt;

 private:
  BufferSink inner_;
};

/// Everything that zstd's streaming decoder gets out of `file`, which must end cleanly; nothing on
/// an error. What `zstd -d` does.
inline std::optional<std::vector<std::byte>> unzstd(std::span<const std::byte> file) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  std::vector<std::byte> all;
  std::vector<std::byte> part(1 << 20);
  ZSTD_inBuffer in{file.data(), file.size(), 0};
  std::size_t left = 0;
  while (in.pos < in.size) {
    ZSTD_outBuffer out{part.data(), part.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) return std::nullopt;
    all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(out.pos));
  }
  if (left != 0) return std::nullopt;
  return all;
}

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_JOB_TEST_SINKS_H_
