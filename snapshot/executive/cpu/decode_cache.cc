// SPDX-License-Identifier: Apache-2.0
#include <snapshot/executive/cpu/decode_cache.h>

namespace doppel {
namespace {

/// Beyond this everything is forgotten: 16 MiB of code is more than a guest has, and frames come
/// and go.
constexpr std::size_t kMostPages = 4096;

}  // namespace

const Instruction* DecodeCache::find(const CodePage& page, std::uint32_t offset) {
  if (last_ == nullptr || last_frame_ != page.frame) {
    if (pages_.size() >= kMostPages && !pages_.contains(page.frame)) pages_.clear();
    auto& slot = pages_[page.frame];
    if (slot == nullptr) {
      slot = std::make_unique<Page>();
      slot->version = page.version;
    }
    last_frame_ = page.frame;
    last_ = slot.get();
  }
  if (last_->version != page.version) {
    last_->version = page.version;
    last_->at.fill(0);
    last_->instructions.clear();
  }
  if (const std::uint16_t known = last_->at[offset]; known != 0)
    return &last_->instructions[known - 1u];
  bool truncated = false;
  const Instruction made =
      decode_instruction({page.bytes + offset, kGuestPageSize - offset}, truncated);
  ++decoded_;
  if (truncated) return nullptr;
  last_->instructions.push_back(made);
  last_->at[offset] = static_cast<std::uint16_t>(last_->instructions.size());
  return &last_->instructions.back();
}

}  // namespace doppel
