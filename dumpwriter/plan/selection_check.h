// SPDX-License-Identifier: Apache-2.0
//
// What formats rely on in a selection; each of them asks first.
#ifndef DOPPEL_DUMPWRITER_PLAN_SELECTION_CHECK_H_
#define DOPPEL_DUMPWRITER_PLAN_SELECTION_CHECK_H_

#include <dumpwriter/plan/selection.h>
#include <snapshot/model/process_image.h>
#include <snapshot/support/result.h>

namespace doppel {

/// Errc::malformed unless the segments are sorted, disjoint, whole pages, of regions that the image
/// has, and covered by their pieces.
Result<> check_selection(const ProcessImage& image, const Selection& selection);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_SELECTION_CHECK_H_
