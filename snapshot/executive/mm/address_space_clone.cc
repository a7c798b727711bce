// SPDX-License-Identifier: Apache-2.0
//
// The clone, in two phases: everything that can fail is asked and charged first, then VADs and
// entries are copied, which cannot fail. A private page gets one more reference, and that is its
// copy-on-write state; both sides are charged now, so that no write ever fails for commit.
//
// Two steps can still fail after the charge: the copy of the PEB's page and, in the oracle, the
// copies of all pages. The child that is not yet anybody's is dropped then, and its destructor
// returns all it has.
#include <cassert>

#include <snapshot/executive/mm/address_space.h>

namespace doppel {

/// A page of the parent for the child. False: no page left (deep copies only).
bool AddressSpace::clone_page(Pte& copy, CloneMode mode) {
  if (copy.frame == kNoFrame) return true;
  if (mode == CloneMode::deep_copy && !copy.shared) {
    const std::optional<Frame> own = memory_->allocate_copy(copy.frame);
    copy.frame = own.value_or(kNoFrame);
    if (!own) return false;
  } else {
    memory_->reference(copy.frame);
  }
  took_frame();
  return true;
}

NtStatus AddressSpace::clone(std::uint64_t peb, std::unique_ptr<AddressSpace>& child,
                             CloneMode mode) {
  FaultPlan& plan = memory_->plan();
  std::uint64_t charged = 0;
  for (const auto& [first, vad] : vads_) {
    if (vad.inherit == ViewInherit::unmap) continue;
    if (plan.fault(FaultSite::clone_vad)) return status::no_memory;
    charged += vad.charge;
    for (auto at = ptes_.lower_bound(first); at != ptes_.end() && at->first < vad.last; ++at)
      if (plan.fault(FaultSite::clone_pte)) return status::no_memory;
  }
  auto clone = std::make_unique<AddressSpace>(*memory_);
  if (!clone->charge(charged)) return status::commitment_limit;

  for (const auto& [first, vad] : vads_) {
    if (vad.inherit == ViewInherit::unmap) continue;
    clone->vads_.emplace_hint(clone->vads_.end(), first, vad);
    enter_view(vad);
  }
  // What this side remembers may be written in place; from now on it may not.
  forget();
  for (const auto& [first, vad] : clone->vads_) {
    for (auto at = ptes_.lower_bound(first); at != ptes_.end() && at->first < vad.last; ++at) {
      Pte& copy = clone->ptes_.emplace_hint(clone->ptes_.end(), at->first, at->second)->second;
      if (!clone->clone_page(copy, mode)) return status::no_memory;
    }
  }
  if (peb != 0) {
    const std::byte inherited{1};
    PageFault fault;
    if (!clone->store(peb, {&inherited, 1}, fault) && fault.status == status::in_page_error)
      return status::no_memory;
  }
  child = std::move(clone);
  return status::success;
}

}  // namespace doppel
