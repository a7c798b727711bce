// SPDX-License-Identifier: Apache-2.0
#include <dumpwriter/plan/dump_filter.h>

namespace doppel {

using namespace coredump_filter;

namespace {

constexpr Verdict kWhole{.treatment = Treatment::whole};

constexpr Verdict absent(const char* why, bool asked) {
  return {.treatment = Treatment::absent, .why = why, .asked = asked};
}

/// A debugger can open the file that stands behind the region.
bool has_readable_file(const Region& region) {
  return region.backing == Backing::file && !region.deleted && !region.path.empty();
}

bool is_written(const Region& region) {
  return region.anonymous > 0 || region.swapped > 0;
}

Verdict judge_shared(const Region& region, std::uint64_t filter, bool omit_shared) {
  const bool named = has_readable_file(region);
  if (!omit_shared && (filter & (named ? kFileShared : kAnonymousShared)) != 0) return kWhole;
  const char* why = omit_shared ? "shared memory left out as asked" : "left out by coredump_filter";
  // The file may be written on by others, hence the Omission beside the header.
  if (named) return {.treatment = Treatment::in_file, .why = why, .asked = true};
  return absent(why, true);
}

Verdict judge_private(const Region& region, std::uint64_t filter) {
  const bool own = region.backing != Backing::file || is_written(region) || region.deleted ||
                   region.path.empty();
  if (own && (filter & kAnonymousPrivate) != 0) return kWhole;
  if (region.backing == Backing::file && (filter & kFilePrivate) != 0) return kWhole;
  Verdict verdict =
      own ? absent("left out by coredump_filter", true) : Verdict{.treatment = Treatment::in_file};
  verdict.landmarks = region.backing == Backing::file && (filter & kElfHeaders) != 0;
  return verdict;
}

}  // namespace

Verdict judge(const Region& region, std::uint64_t filter, bool omit_shared) {
  const RegionTraits& traits = region.traits;
  // Reserved by NT, not committed: there is nothing that could be lost.
  constexpr std::uint32_t kCommit = 0x1000;
  if (region.windows && region.windows->state != kCommit) return absent("", true);
  switch (region.backing) {
    case Backing::vdso:  // before everything else, as in the kernel's always_dump_vma()
    case Backing::vsyscall:
      return kWhole;
    case Backing::vvar:
      return absent("", true);
    case Backing::anonymous:
    case Backing::file:
    case Backing::shared_memory:
    case Backing::device:
      break;
  }
  if (traits.secret) return absent("secret memory", true);  // has VM_DONTDUMP as well
  if (traits.dont_dump) return absent("MADV_DONTDUMP", true);
  // A copy-on-write clone holds zeros here: the process asked that no copy has the contents.
  if (traits.wipe_on_fork) return absent("MADV_WIPEONFORK", true);
  if (traits.droppable) return absent("MAP_DROPPABLE", true);
  if (region.backing == Backing::device || traits.io || traits.pfn_map) {
    return absent("device memory", false);
  }

  const bool shared = region.sharing == Sharing::shared;
  if (shared && omit_shared) return judge_shared(region, filter, omit_shared);
  if (traits.dax) {
    if ((filter & (shared ? kDaxShared : kDaxPrivate)) != 0) return kWhole;
    if (has_readable_file(region) && (shared || !is_written(region))) {
      return {.treatment = Treatment::in_file,
              .why = shared ? "left out by coredump_filter" : "",
              .asked = true};
    }
    return absent("left out by coredump_filter", true);
  }
  if (traits.huge_tlb) {
    if ((filter & (shared ? kHugeShared : kHugePrivate)) != 0) return kWhole;
    return absent("left out by coredump_filter", true);
  }
  return shared ? judge_shared(region, filter, false) : judge_private(region, filter);
}

}  // namespace doppel
