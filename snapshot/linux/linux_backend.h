// SPDX-License-Identifier: Apache-2.0
//
// Back end 1: real Linux processes. capture() reads as the whole story: look, foretell, take,
// describe. What the target feels is in clone_injection.h; all else here runs while it runs.
#ifndef DOPPEL_SNAPSHOT_LINUX_LINUX_BACKEND_H_
#define DOPPEL_SNAPSHOT_LINUX_LINUX_BACKEND_H_

#include <functional>

#include <snapshot/model/backend.h>
#include <snapshot/support/sys.h>

namespace doppel {

class LinuxBackend : public SnapshotBackend {
 public:
  explicit LinuxBackend(Sys& sys = Sys::real()) : sys_(sys) {}

  /// Errors: Errc::gone, denied, unsupported (32-bit, kernel thread, no engine that would do),
  /// limit (the predicted pause exceeds request.max_pause; nothing was touched), cancelled, os.
  /// While it runs and as long as the snapshot lives, the calling process has one child, which it
  /// must not wait for. Thread-safe; captures do not disturb each other.
  Result<Snapshot> capture(const CaptureRequest& request) override;

  /// `ended` is called when a snapshot's memory is dropped, with what came of removing its clone:
  /// an error means that a zombie is left in the target. Set before capture().
  void on_end(std::function<void(const Result<>&)> ended) { ended_ = std::move(ended); }

 private:
  Result<Snapshot> capture_once(const CaptureRequest& request, int attempt);

  Sys& sys_;
  std::function<void(const Result<>&)> ended_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_LINUX_BACKEND_H_
