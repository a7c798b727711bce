# SPDX-License-Identifier: Apache-2.0
# case: Yama's ptrace_scope 3: nobody may attach, not even root. It cannot be left again, so this case is the last by name
# short

AS=1000 start_victim plain
echo 3 >/proc/sys/kernel/yama/ptrace_scope
tries 1000 5 "scope 3, owner"
tries 0 5 "scope 3, root"
