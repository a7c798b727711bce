# SPDX-License-Identifier: Apache-2.0
# case: cgroup v2 memory.max with memory.oom.group: the clone is given up before the kernel kills the group
# short

group=/sys/fs/cgroup/case-$CASE/service
# A group with controllers may hold no process of its own: the case itself moves aside.
mkdir /sys/fs/cgroup/case-$CASE/shell $group
echo 0 >/sys/fs/cgroup/case-$CASE/shell/cgroup.procs
need "memory controller" sh -c "echo +memory >/sys/fs/cgroup/case-$CASE/cgroup.subtree_control"
event() { sed -n "s/^$1 //p" $group/memory.events; }

IN=$group start_victim writer 96
# Room for a third of what the writer will have copied if the clone stays.
current=$(cat $group/memory.current)
echo $((current + 40 * 1024 * 1024)) >$group/memory.max
echo 1 >$group/memory.oom.group

# Nothing is read while the clone lives: without a watchdog the group dies.
start_streaming
until_gone 40
is "given up: no clone is left although nothing was read" "$(children)" ""
finish_streaming
captured "given up: cut short is an exit code" 3
says "given up: the message says why" /tmp/err 'memory'
is "given up: the kernel killed nothing" "$(event oom_kill)" 0
unharmed "given up"
rm -f /tmp/core /tmp/pipe

# With room for a whole copy the same capture is complete.
echo $((current + 160 * 1024 * 1024)) >$group/memory.max
capture --no-compress -o /tmp/core $victim
captured "room enough: captured" 0
dump_holds "room enough: the dump" /tmp/core $address $size 0
is "room enough: the kernel killed nothing" "$(event oom_kill)" 0
unharmed "room enough"
