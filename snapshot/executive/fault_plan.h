// SPDX-License-Identifier: Apache-2.0
//
// The places where the executive may be told to fail, and the plan that decides. Every such place
// asks fault(site) once, before it has changed anything, and returns its own status when the answer
// is true. The plan is deterministic: the same plan and the same sequence of questions give the
// same answers.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_FAULT_PLAN_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_FAULT_PLAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace doppel {

/// The comment names the status that the place answers.
enum class FaultSite : std::uint8_t {
  pfn_alloc,       ///< NO_MEMORY; inside a page fault IN_PAGE_ERROR
  commit_charge,   ///< COMMITMENT_LIMIT
  vad_insert,      ///< NO_MEMORY
  handle_alloc,    ///< INSUFFICIENT_RESOURCES
  object_alloc,    ///< INSUFFICIENT_RESOURCES
  cid_alloc,       ///< INSUFFICIENT_RESOURCES
  clone_vad,       ///< NO_MEMORY; asked once for each VAD
  clone_pte,       ///< NO_MEMORY; asked once for each PTE
  teb_alloc,       ///< NO_MEMORY
  params_copy,     ///< ACCESS_VIOLATION
  image_read,      ///< IN_PAGE_ERROR
  image_parse,     ///< INVALID_IMAGE_FORMAT
  file_open,       ///< SHARING_VIOLATION
  file_read,       ///< IN_PAGE_ERROR
  file_write,      ///< DISK_FULL
  lock_grant,      ///< LOCK_NOT_GRANTED
  mem_read,        ///< PARTIAL_COPY; asked once for each page
  thread_suspend,  ///< THREAD_IS_TERMINATING: it dies between listing and suspending
  target_exit,     ///< the process exits between two steps of the engine
  crash_second,    ///< a second thread crashes during the capture
  dump_write,      ///< DISK_FULL
  sched_preempt,   ///< the stepper switches threads
  time_jump,       ///< virtual time leaps to the next timer
};
inline constexpr std::size_t kFaultSiteCount = 23;

/// The name that `--fault SITE:N` takes, such as "pfn.alloc".
std::string_view fault_site_name(FaultSite site);
/// Nothing for an unknown name.
std::optional<FaultSite> fault_site_of(std::string_view name);

class FaultPlan {
 public:
  /// Fails nothing, but counts.
  FaultPlan() = default;
  /// Fails the `k`-th question of `site`, counted from 1; later ones pass.
  static FaultPlan nth(FaultSite site, std::uint64_t k);
  /// Fails the `k`-th question of all, whatever its site, counted from 1: for sweeps over every
  /// fault point.
  static FaultPlan nth_of_all(std::uint64_t k);
  /// Each site is active or not for the whole run, by `seed`; questions of an active one fail with
  /// the probability `per_mille` / 1000.
  static FaultPlan random(std::uint64_t seed, std::uint32_t per_mille);
  /// Fails exactly the listed questions: pairs of site and number, counted from 1.
  static FaultPlan script(std::vector<std::pair<FaultSite, std::uint64_t>> failures);

  /// Whether the asking place must fail.
  bool fault(FaultSite site);

  std::uint64_t asked(FaultSite site) const { return asked_[static_cast<std::size_t>(site)]; }

  std::uint64_t asked_of_all() const { return all_; }

  std::uint64_t failed() const { return failed_; }

 private:
  bool decide(FaultSite site);

  std::array<std::uint64_t, kFaultSiteCount> asked_{};
  std::uint64_t all_ = 0, failed_ = 0;
  std::uint64_t nth_of_all_ = 0;
  std::vector<std::pair<FaultSite, std::uint64_t>> script_;
  std::uint32_t active_ = 0;  ///< one bit for each site
  std::uint32_t per_mille_ = 0;
  std::uint64_t random_ = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_FAULT_PLAN_H_
