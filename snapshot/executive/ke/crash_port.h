// SPDX-License-Identifier: Apache-2.0
//
// The crash port: where second-chance exceptions wait for somebody to look. It stands for csrss'
// exception port and the error reporting service, and is the model's own. A queue; who fills and
// answers it is in ke/exception.h.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_KE_CRASH_PORT_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_KE_CRASH_PORT_H_

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/ob/object.h>
#include <snapshot/executive/ps/context.h>
#include <snapshot/executive/ps/thread.h>

namespace doppel {

class Executive;

/// EXCEPTION_RECORD without the chain.
struct ExceptionRecord {
  NtStatus code;
  std::uint32_t flags = 0;  ///< 1: cannot be continued
  std::uint64_t address = 0;
  std::uint32_t parameter_count = 0;
  std::array<std::uint64_t, 15> parameters{};
  bool operator==(const ExceptionRecord&) const = default;
};

struct CrashMessage {
  std::uint64_t sequence = 0;
  std::uint32_t process = 0, thread = 0;
  ExceptionRecord record;
  NtContext context;  ///< at the fault
};

class CrashPort final : public Object {
 public:
  CrashPort(Executive& owner, Counters& counters)
      : Object(ObjectType::crash_port, counters), executive(owner) {}

  struct Waiting {
    std::uint64_t sequence = 0;
    ObjectRef<NtThread> thread;
    ExceptionRecord record;
  };

  Executive& executive;
  std::deque<CrashMessage> queue;  ///< not yet received
  std::vector<Waiting> waiting;    ///< not yet answered, received or not

  /// The last handle goes: whoever waits is answered DBG_EXCEPTION_NOT_HANDLED.
  void closing(const HandleClose& close) override;

 private:
  ~CrashPort() override = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_KE_CRASH_PORT_H_
