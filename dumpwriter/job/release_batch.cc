// SPDX-License-Identifier: Apache-2.0
#include <dumpwriter/job/block_stream.h>
#include <dumpwriter/job/release_batch.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPage = BlockStream::kPage;

void release(const Memory& memory, std::uint64_t begin, std::uint64_t end) {
  begin = (begin + kPage - 1) / kPage * kPage;
  end = end / kPage * kPage;
  if (begin < end) memory.release({{begin}, end - begin});
}

}  // namespace

void ReleaseBatch::add(const Memory& memory, AddressRange range) {
  if (range.begin.value != end_) {
    flush(memory);
    begin_ = range.begin.value;
  }
  end_ = range.end();
  // A page that is half written stays for the next time.
  if (end_ - begin_ >= kMaxBytes) {
    release(memory, begin_, end_);
    begin_ = end_ / kPage * kPage;
  }
}

void ReleaseBatch::flush(const Memory& memory) {
  release(memory, begin_, end_);
  begin_ = end_;
}

}  // namespace doppel
