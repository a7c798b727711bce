// SPDX-License-Identifier: Apache-2.0
#include <dumpwriter/sink/buffer_sink.h>

namespace doppel {

Result<> BufferSink::write(std::span<const std::byte> bytes) {
  contents_->bytes.insert(contents_->bytes.end(), bytes.begin(), bytes.end());
  return {};
}

Result<> BufferSink::commit() {
  contents_->committed = true;
  return {};
}

}  // namespace doppel
