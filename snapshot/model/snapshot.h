// SPDX-License-Identifier: Apache-2.0
//
// A process at one instant: its facts and its bytes. Owning `memory` is owning the clone: drop it,
// and the clone is killed and reaped.
#ifndef DOPPEL_SNAPSHOT_MODEL_SNAPSHOT_H_
#define DOPPEL_SNAPSHOT_MODEL_SNAPSHOT_H_

#include <memory>

#include <snapshot/model/memory.h>
#include <snapshot/model/process_image.h>

namespace doppel {

struct Snapshot {
  ProcessImage image;
  std::unique_ptr<const Memory> memory;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_SNAPSHOT_H_
