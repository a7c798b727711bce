// SPDX-License-Identifier: Apache-2.0
//
// A Sys that goes wrong on purpose: the n-th call fails, one kind of call is not offered by the
// kernel, or the process that makes the n-th call is killed before it. The count is shared by all
// processes that are forked from the one that made the object.
#ifndef DOPPEL_TESTS_SUPPORT_FAULTY_SYS_H_
#define DOPPEL_TESTS_SUPPORT_FAULTY_SYS_H_

#include <sys/types.h>

#include <atomic>
#include <cerrno>

#include <snapshot/support/sys.h>

namespace doppel {

struct FaultPlan {
  /// Who makes a call: the process that made the FaultySys, or any process forked from it.
  enum class Role { anyone, command, tracer };

  int fail_at = 0;  ///< this call, counted from 1 over all processes, fails; 0: none
  int error = EIO;
  long deny_number = -1;           ///< every call of this number answers deny_error
  long deny_first_argument = -1;   ///< only with this first argument (a ptrace request); -1: any
  long deny_second_argument = -1;  ///< only with this second argument (an ioctl); -1: any
  int deny_error = ENOSYS;
  int kill_at = 0;  ///< before this call of `kill_role` its process is killed; 0: none
  Role kill_role = Role::anyone;
};

class FaultySys final : public Sys {
 public:
  explicit FaultySys(const FaultPlan& plan);
  ~FaultySys() override;

  long invoke(long number, long a, long b, long c, long d, long e, long f) override;
  long fork() override;

  /// True once the n-th call was reached.
  bool fired() const;
  /// True when the process that was killed had left foreign registers in a thread of its target:
  /// the named limit of the injection.
  bool hit_while_foreign() const;
  /// The number of the call that was hit; -1 is fork. And its first argument.
  long hit_number() const;
  long hit_argument() const;
  int calls() const;
  int denials() const;

 private:
  struct Shared;

  /// What the call that comes now is to answer instead; 0: go on.
  long judge(long number, long a, long b);
  /// Watches the registers that a tracer sets: foreign ones, then the thread's own again.
  void note_registers(long a, long b, long d);

  FaultPlan plan_;
  pid_t command_;
  Shared* shared_;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_FAULTY_SYS_H_
