// SPDX-License-Identifier: Apache-2.0
//
// "did you mean": the nearest of a few known words, or none when nothing is near.
#ifndef DOPPEL_CLI_SUGGESTION_H_
#define DOPPEL_CLI_SUGGESTION_H_

#include <span>
#include <string_view>

namespace doppel {

/// How many single letters must be inserted, dropped, changed or swapped with a neighbour to make
/// `a` into `b` (optimal string alignment).
unsigned edit_distance(std::string_view a, std::string_view b);

/// The word of `known` nearest to `word`, if it is near enough to be a slip of the fingers: at most
/// a third of its letters differ, or `word` (of two letters and more) begins it. Else empty.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace doppel

#endif  // DOPPEL_CLI_SUGGESTION_H_
