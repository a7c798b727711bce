# SPDX-License-Identifier: Apache-2.0
# case: cgroup v2 pids.max leaves no room for a clone
# short

group=/sys/fs/cgroup/case-$CASE/service
mkdir /sys/fs/cgroup/case-$CASE/shell $group
echo 0 >/sys/fs/cgroup/case-$CASE/shell/cgroup.procs
need "pids controller" sh -c "echo +pids >/sys/fs/cgroup/case-$CASE/cgroup.subtree_control"

IN=$group start_victim plain
cat $group/pids.current >$group/pids.max
capture --no-compress -o /tmp/core $victim
# Without a clone the direct engine goes on: what may be torn is a loss nobody asked for.
captured "full: captured with a loss" 3
says "full: the message names the gate" /tmp/err 'pids\.max'
core_holds /tmp/core notes >/tmp/notes
says "full: the dump names the engine" /tmp/notes '"engine": ?"direct"'
dump_holds "full: what stood still is right" /tmp/core $address $size 0
unharmed "full"
rm -f /tmp/core
capture --engine clone --no-compress -o /tmp/core $victim
captured "full, only a clone will do: refused" 1
says "full, only a clone will do: the message names the gate" /tmp/err 'pids\.max'
holds "full, only a clone will do: no dump" [ ! -e /tmp/core ]
unharmed "full, only a clone will do"
doppel doctor $victim >/tmp/out 2>/tmp/err
says "full: doctor says so" /tmp/out 'pids\.max'
rm -f /tmp/core
echo max >$group/pids.max
capture --no-compress -o /tmp/core $victim
captured "not full: captured" 0
dump_holds "not full: the dump" /tmp/core $address $size 0
unharmed "not full"
