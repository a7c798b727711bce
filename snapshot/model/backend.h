// SPDX-License-Identifier: Apache-2.0
//
// One method: everything an operating system can do for us.
#ifndef DOPPEL_SNAPSHOT_MODEL_BACKEND_H_
#define DOPPEL_SNAPSHOT_MODEL_BACKEND_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

#include <snapshot/model/snapshot.h>

namespace doppel {

/// What to do with memory that the target shares with others: a clone shares it too, so it is not
/// frozen.
enum class SharedMemory {
  live,  ///< read right after the release, marked as not of the instant
  copy,  ///< read in the stop, and counted in its prediction
  omit,
};

enum class Engine {
  automatic,  ///< clone; direct, and said so, where a clone would be a gamble
  clone,      ///< a copy-on-write clone: one instant
  direct,     ///< memory read while the target runs: weaker, and named so in the dump
};

struct CaptureRequest {
  std::int32_t target = 0;  ///< process id
  std::optional<std::chrono::microseconds>
      max_pause;  ///< refuse (Errc::limit) when more is predicted
  SharedMemory shared = SharedMemory::live;
  Engine engine = Engine::automatic;
  bool force_undumpable =
      false;  ///< capture a process that forbade dumps (needs the privilege all the same)
  std::stop_token stop;  ///< looked at between steps, never inside the stop
};

class SnapshotBackend {
 public:
  SnapshotBackend() = default;
  SnapshotBackend(const SnapshotBackend&) = delete;
  SnapshotBackend& operator=(const SnapshotBackend&) = delete;
  virtual ~SnapshotBackend() = default;

  /// On failure the target runs on exactly as before; nothing of ours is left in it.
  virtual Result<Snapshot> capture(const CaptureRequest& request) = 0;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_BACKEND_H_
