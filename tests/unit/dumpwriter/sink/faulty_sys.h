// SPDX-License-Identifier: Apache-2.0
//
// The real system, save for one call that fails, or all calls of one number, or what a hook says.
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_FAULTY_SYS_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_FAULTY_SYS_H_

#include <atomic>
#include <functional>
#include <map>
#include <optional>

#include <snapshot/support/sys.h>

namespace doppel::test {

class FaultySys final : public Sys {
 public:
  struct Call {
    long number = 0, a = 0, b = 0, c = 0, d = 0;
  };

  long fail_at = -1;          ///< the n-th call from 0; -1: none
  long error = 5;             ///< EIO
  std::map<long, long> deny;  ///< number → errno, every time
  std::function<std::optional<long>(const Call&)> hook;
  std::atomic<long> count = 0;  ///< of calls so far

  long invoke(long number, long a, long b, long c, long d, long e, long f) override {
    const Call call{number, a, b, c, d};
    if (count++ == fail_at) return -error;
    if (const auto denied = deny.find(number); denied != deny.end()) return -denied->second;
    if (hook) {
      if (const std::optional<long> answer = hook(call)) return *answer;
    }
    return Sys::invoke(number, a, b, c, d, e, f);
  }
};

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_SINK_FAULTY_SYS_H_
