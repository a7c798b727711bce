# SPDX-License-Identifier: Apache-2.0
# case: PID 1 of a pid namespace is captured from outside; a clone of it dies with it and not before
# short

start_victim unshare --pid --fork --mount-proc plain
outer=$victim
victim=$(cat /proc/$outer/task/$outer/children)
victim=${victim% }
is "the target is PID 1 of its namespace" "$(sed -n 's/^NSpid:[[:space:]]*//p' /proc/$victim/status | tr '\t' ' ')" "$victim 1"
capture --no-compress -o /tmp/core $victim
captured "capture" 0
dump_holds "the dump" /tmp/core $address $size 0
unharmed
is "its namespace has no other process" "$(nsenter -t $victim -p -m ls /proc | grep -c '^[0-9]')" 2
