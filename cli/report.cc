// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include <cli/report.h>

namespace doppel {

bool has_losses(const CaptureReport& report) {
  return report.cut_short.has_value() ||
         std::ranges::any_of(report.omissions, [](const Omission& each) { return !each.asked; });
}

std::vector<TornRange> torn_in_dump(const std::vector<TornRange>& torn,
                                    const std::vector<Omission>& omissions) {
  std::vector<TornRange> kept;
  std::ranges::copy_if(torn, std::back_inserter(kept), [&](const TornRange& each) {
    const AddressRange& range = each.range;
    return std::ranges::none_of(omissions, [&](const Omission& gap) {
      const std::uint64_t into = range.begin.value - gap.range.begin.value;
      return gap.range.contains(range.begin) && gap.range.size - into >= range.size;
    });
  });
  return kept;
}

std::vector<OmissionGroup> group_omissions(const std::vector<Omission>& omissions) {
  std::vector<OmissionGroup> groups;
  for (const Omission& each : omissions) {
    auto group = std::ranges::find_if(groups, [&](const OmissionGroup& known) {
      return known.what == each.what && known.why == each.why && known.asked == each.asked;
    });
    if (group == groups.end()) {
      groups.push_back({.what = each.what,
                        .why = each.why,
                        .asked = each.asked,
                        .count = 0,
                        .size = 0,
                        .first = each.range});
      group = groups.end() - 1;
    }
    ++group->count;
    group->size += each.range.size;
  }
  return groups;
}

}  // namespace doppel
