// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <cli/report.h>

namespace doppel {

bool has_losses(const CaptureReport& report) {
  return report.cut_short.has_value() ||
         std::ranges::any_of(report.omissions, [](const Omission& each) { return !each.asked; });
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
