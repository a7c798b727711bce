// SPDX-License-Identifier: Apache-2.0
//
// The thread that keeps looking while a clone lives; what it looks at and how it decides stands in
// watchdog.h.
#ifndef DOPPEL_CLI_MEMORY_GUARD_H_
#define DOPPEL_CLI_MEMORY_GUARD_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include <cli/watchdog.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// Starts looking when constructed; its first reading is the state before the capture.
class MemoryGuard {
 public:
  MemoryGuard(Sys& sys, std::int32_t target);
  MemoryGuard(const MemoryGuard&) = delete;
  MemoryGuard& operator=(const MemoryGuard&) = delete;
  ~MemoryGuard();

  /// False when no thread could be started for it (a limit of processes).
  bool watches() const { return thread_.joinable(); }

  /// From now on `give_up` is called, once, on the guard's thread, when memory runs out. At once,
  /// if that is so already. Not called any more once stop() returned.
  void watch(std::function<void(const std::string& reason)> give_up);
  void stop();

 private:
  void run(const std::stop_token& stop);
  bool wait(const std::stop_token& stop);

  MemoryWatch watch_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::function<void(const std::string&)> give_up_;
  std::jthread thread_;  // last: it uses what stands above
};

}  // namespace doppel

#endif  // DOPPEL_CLI_MEMORY_GUARD_H_
