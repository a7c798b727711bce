// SPDX-License-Identifier: Apache-2.0
//
// The physical pages of the executive and the count of what has been promised of them (commit).
// Both may be told to fail (FaultPlan). It knows frames and references to them, not who refers:
// page tables and segments do.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_MM_PHYSICAL_MEMORY_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_MM_PHYSICAL_MEMORY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <snapshot/executive/counters.h>
#include <snapshot/executive/fault_plan.h>
#include <snapshot/executive/nt_types.h>

namespace doppel {

using Frame = std::uint32_t;
inline constexpr Frame kNoFrame = ~Frame{0};

/// Not thread-safe, as the whole executive. `plan` and `counters` outlive it.
class PhysicalMemory {
 public:
  /// `frames` pages of 4 KiB at most; `commit_limit` pages may be promised.
  PhysicalMemory(std::uint32_t frames, std::uint64_t commit_limit, FaultPlan& plan,
                 Counters& counters)
      : capacity_(frames), limit_(commit_limit), plan_(&plan), counters_(&counters) {}

  PhysicalMemory(const PhysicalMemory&) = delete;
  PhysicalMemory& operator=(const PhysicalMemory&) = delete;

  /// A zeroed page with one reference; nothing when there is none, or by injection.
  std::optional<Frame> allocate();
  /// As allocate(), with the bytes of `from`; counted in copies().
  std::optional<Frame> allocate_copy(Frame from);

  void reference(Frame frame) { ++frames_[frame].references; }

  /// The page is free once its last reference goes.
  void release(Frame frame);

  std::uint32_t references(Frame frame) const { return frames_[frame].references; }

  std::byte* bytes(Frame frame) { return frames_[frame].bytes->data(); }

  const std::byte* bytes(Frame frame) const { return frames_[frame].bytes->data(); }

  /// Never repeats for a frame: moves with every changed() and when the frame gets another use.
  /// Equal frame and version promise equal bytes.
  std::uint64_t version(Frame frame) const { return frames_[frame].version; }

  /// To be called for each write into the page.
  void changed(Frame frame) { ++frames_[frame].version; }

  /// Promises `pages`; false without any effect when the limit does not allow it, or by injection.
  /// 0 pages always succeed and are no fault point.
  bool charge(std::uint64_t pages);
  void uncharge(std::uint64_t pages);

  std::uint64_t committed() const { return counters_->commit; }

  std::uint64_t commit_limit() const { return limit_; }

  void set_commit_limit(std::uint64_t pages) { limit_ = pages; }

  std::uint64_t in_use() const { return counters_->frames; }

  /// Pages copied since the start: what a clone must not do and a write after it must.
  std::uint64_t copies() const { return copies_; }

  FaultPlan& plan() const { return *plan_; }

 private:
  struct Entry {
    std::unique_ptr<std::array<std::byte, kNtPageSize>> bytes;
    std::uint32_t references = 0;
    std::uint64_t version = 0;
  };

  std::vector<Entry> frames_;
  std::vector<Frame> free_;
  std::uint32_t capacity_;
  std::uint64_t limit_, copies_ = 0;
  FaultPlan* plan_;
  Counters* counters_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_MM_PHYSICAL_MEMORY_H_
