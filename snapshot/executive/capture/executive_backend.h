// SPDX-License-Identifier: Apache-2.0
//
// Back end 2: processes of the executive model. capture() is the crash dump of NT: least rights on
// the target, suspend, look, NtCreateProcessEx with neither a section nor inherited handles,
// resume. It is a user-mode program's work, done through native calls of a dumper's process. It
// must not know what a guest is.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_EXECUTIVE_BACKEND_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_EXECUTIVE_BACKEND_H_

#include <memory>
#include <optional>
#include <utility>

#include <snapshot/executive/capture/nt_memory.h>
#include <snapshot/executive/ke/crash_port.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/model/backend.h>

namespace doppel {

class ExecutiveBackend final : public SnapshotBackend {
 public:
  /// `dumper` is the native API as the dumper's process has it; it outlives the back end and every
  /// snapshot.
  explicit ExecutiveBackend(NtApi& dumper)
      : nt_(dumper), access_(std::make_shared<ExecutiveAccess>()) {}

  /// Errors: Errc::gone (no such process, or it ended meanwhile), denied, limit (commit, handles),
  /// cancelled, os (any other status; Error::subject has it). On failure no handle, page or charge
  /// is left. The target is suspended in between only. Engine::direct makes no clone: the snapshot
  /// reads the running process, says so, and leaves its guard pages alone. Virtual time stands
  /// still meanwhile, so all timings are 0 and max_pause never refuses.
  Result<Snapshot> capture(const CaptureRequest& request) override;

  /// The crash that the next captures of its process are about, as NtxReceiveCrash gave it.
  void set_crash(CrashMessage crash) { crash_ = std::move(crash); }

  /// The counter-example: the clone inherits the target's inheritable handles, and so keeps its
  /// files open.
  void inherit_handles(bool inherit) { inherit_handles_ = inherit; }

  /// Shared with the memory of every snapshot.
  ExecutiveAccess& access() { return *access_; }

 private:
  NtApi& nt_;
  std::shared_ptr<ExecutiveAccess> access_;
  std::optional<CrashMessage> crash_;
  bool inherit_handles_ = false;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_CAPTURE_EXECUTIVE_BACKEND_H_
