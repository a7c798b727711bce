# SPDX-License-Identifier: Apache-2.0
# case: Yama's ptrace_scope 0, 1, 2 for an ordinary user and for root: exit code, message, and target
# short

scope=/proc/sys/kernel/yama/ptrace_scope

AS=1000 start_victim plain
echo 0 >$scope
tries 1000 0 "scope 0, owner"
echo 1 >$scope
tries 1000 5 "scope 1, owner"
tries 0 0 "scope 1, root"
as_user 1000 doppel doctor $victim >/tmp/out 2>/tmp/err
says "scope 1: doctor names the gate" /tmp/out 'ptrace_scope'
says "scope 1: doctor gives a remedy" /tmp/out 'PR_SET_PTRACER|CAP_SYS_PTRACE|cap_sys_ptrace|root'
echo 2 >$scope
tries 1000 5 "scope 2, owner"
tries 0 0 "scope 2, root"
end_victim

echo 1 >$scope
AS=1000 start_victim plain --ptracer any
tries 1000 0 "scope 1, PR_SET_PTRACER_ANY"
end_victim
# The named tracer is this shell: whatever runs below it may attach.
AS=1000 start_victim plain --ptracer $$
tries 1000 0 "scope 1, PR_SET_PTRACER of an ancestor of doppel"
end_victim
echo 0 >$scope
