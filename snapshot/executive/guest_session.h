// SPDX-License-Identifier: Apache-2.0
//
// One executive with a program on its volume, a supervisor that starts it and a service that its
// crashes are told to: what `doppel executive run` and the tour do, step by step, so that the
// caller says what happens when. Supervisor and service are ordinary processes of the executive
// and use native calls only. It knows neither dumps nor terminals.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_GUEST_SESSION_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_GUEST_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/fault_plan.h>
#include <snapshot/executive/ke/crash_port.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/ps/host_actor.h>

namespace doppel {

struct GuestSessionOptions {
  ExecutiveOptions executive;
  FaultPlan faults;
  std::string program;           ///< name on the volume, such as "holder.exe"
  std::vector<std::byte> image;  ///< its bytes
  std::vector<std::string> arguments;
  std::vector<std::string> environment = {"SystemRoot=C:\\", "Path=C:\\"};
};

/// Why run() came back.
enum class GuestEnd : std::uint8_t {
  exited,     ///< its process is signalled
  crashed,    ///< a crash waits for an answer, see crash()
  deadlock,   ///< its threads wait, and nobody is left who could wake them
  idle,       ///< no thread can run: all are suspended
  max_steps,  ///< it runs still
};

/// Not thread-safe.
class GuestSession {
 public:
  explicit GuestSession(GuestSessionOptions options);
  GuestSession(const GuestSession&) = delete;
  GuestSession& operator=(const GuestSession&) = delete;
  ~GuestSession();

  Executive& executive() { return executive_; }

  /// The program's path as people write it: C:\NAME.
  const std::string& path() const { return path_; }

  /// Starts an instance. Its status is that of the first call that failed.
  NtStatus launch(std::uint32_t& process);

  /// Until the instance that was launched last ends or any process crashes.
  GuestEnd run(std::uint64_t max_steps);

  /// Of the instance launched last; PENDING while it lives.
  NtStatus exit_status();

  /// The native API as the crash service has it, who may clone and read what crashed; lives as long
  /// as the session.
  NtApi& service() { return service_->nt(); }

  /// The crash that run() came back with.
  const CrashMessage& crash() const { return crash_; }

  /// The crashed process ends, with the exception's code as exit status.
  NtStatus dismiss();

 private:
  /// Makes the port of the system that crashes are told to.
  NtStatus listen();

  GuestSessionOptions options_;
  Executive executive_;
  std::string path_;
  std::unique_ptr<HostActor> service_, supervisor_;
  HandleValue port_ = 0;
  HandleValue child_ = 0;  ///< of the supervisor: the instance launched last
  std::uint32_t child_id_ = 0;
  CrashMessage crash_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_GUEST_SESSION_H_
