// SPDX-License-Identifier: Apache-2.0
//
// Foretells the stop and chooses how to capture: a pure function of what preflight found and of
// what is asked for. The stop is mostly the copying of page tables, so it is foretold from counts
// of what the kernel copies (mm/memory.c copy_page_range(), vma_needs_copy()).
//
// It must not look at the process itself.
#ifndef DOPPEL_SNAPSHOT_LINUX_PLANNER_H_
#define DOPPEL_SNAPSHOT_LINUX_PLANNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include <snapshot/linux/preflight.h>
#include <snapshot/model/backend.h>

namespace doppel {

/// What a stop has to do.
struct StopWork {
  std::uint64_t mappings = 0;       ///< that a clone gets
  std::uint64_t small_pages = 0;    ///< present 4 KiB anonymous pages in mappings that are copied
  std::uint64_t file_pages = 0;     ///< present unwritten file pages in mappings that are copied
  std::uint64_t huge_pages = 0;     ///< transparent huge pages, 2 MiB
  std::uint64_t hugetlb_pages = 0;  ///< private pages of hugetlbfs
  std::uint64_t swap_entries = 0;
  std::uint64_t pinned_bytes = 0;  ///< copied byte for byte
  std::uint64_t copied_bytes = 0;  ///< of ranges_read_in_stop()
  std::uint64_t maps_lines = 0;    ///< of /proc/PID/maps, when it is read in the stop
  std::uint64_t sleeping_threads = 0;
  std::uint64_t running_threads = 0;
};

/// Which memory is copied in the stop: shared and unforked memory with SharedMemory::copy, and huge
/// pages that a clone would lose (mm/hugetlb.c, hugetlb_wp) when they are few. Of these only what
/// is present may be read: reading a hole of shared memory fills it, for good.
std::vector<AddressRange> ranges_read_in_stop(const Preflight& facts, SharedMemory shared);

StopWork count_work(const Preflight& facts, SharedMemory shared);

/// Nanoseconds per unit. The defaults were measured on an EPYC in a virtual machine
/// (docs/limits.md); metal is faster by up to a half.
struct StopCosts {
  double base = 700'000;  ///< stop and release of the last thread, and the helper's birth
  double mapping = 480;
  double small_page = 77;
  double file_page = 32;
  double huge_page = 1'500;
  double hugetlb_page = 1'500;
  double swap_entry = 60;
  double pinned_byte = 0.25;
  double copied_byte = 0.4;
  double maps_line = 250;
  double sleeping_thread = 28'000;  ///< wake-up, stop, registers; release of those before it
  double running_thread = 15'000;
};

/// All of `costs` on a machine that is so many times slower.
StopCosts scale(const StopCosts& costs, double slowness);

/// The longest hold of any thread, microseconds: the sleeping threads are stopped first and wait
/// for all that follows. Without `clone`, of stopping and reading registers alone.
std::uint64_t predict_pause_us(const StopWork& work, const StopCosts& costs, bool clone);

struct StopPlan {
  Engine engine = Engine::clone;         ///< never automatic
  bool attach = true;                    ///< threads are stopped and their registers read
  std::uint64_t predicted_pause_us = 0;  ///< 0 when nothing is stopped
  std::string consistency;               ///< for ProcessInfo::consistency
  std::vector<Gate> reasons;             ///< why it is not the clone, when that was not asked for
};

/// Refuses what preflight forbids (the code is gate_code()'s, the step "preflight", the subject the
/// gate in one line), a clone that was asked for by name and is forbidden, and a predicted pause
/// beyond request.max_pause (Errc::limit, step "keep the pause short"; the subject says both
/// times). Engine::automatic gives way to direct for every gate but one: a process that is already
/// traced is refused, since whoever traces it decides.
Result<StopPlan> plan_stop(const Preflight& facts, const CaptureRequest& request);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_PLANNER_H_
