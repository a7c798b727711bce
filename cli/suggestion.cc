// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include <cli/suggestion.h>

namespace doppel {

unsigned edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<unsigned> cost((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> unsigned& { return cost[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = static_cast<unsigned>(i);
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = static_cast<unsigned>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const unsigned change = a[i - 1] == b[j - 1] ? 0 : 1;
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.size(), b.size());
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  // A very long word is no slip of the fingers, and the table above would be large.
  if (word.empty() || word.size() > 64) return {};
  std::string_view best;
  unsigned least = ~0u;
  for (const std::string_view candidate : known) {
    const bool begins = word.size() >= 2 && candidate.starts_with(word);
    const unsigned distance = begins ? 0 : edit_distance(word, candidate);
    const bool near = distance * 3 <= std::max(word.size(), candidate.size());
    if (near && distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace doppel
