// SPDX-License-Identifier: Apache-2.0
#ifndef DOPPEL_SNAPSHOT_MODEL_IMAGE_CHECK_H_
#define DOPPEL_SNAPSHOT_MODEL_IMAGE_CHECK_H_

#include <snapshot/model/process_image.h>
#include <snapshot/support/result.h>

namespace doppel {

/// Errc::malformed when the image breaks what consumers rely on: regions sorted, disjoint, not
/// empty and not wrapping; thread ids unique; at least one thread.
Result<> check_image(const ProcessImage& image);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_IMAGE_CHECK_H_
