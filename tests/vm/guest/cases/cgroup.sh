# SPDX-License-Identifier: Apache-2.0
# case: the clone leaves the service's cgroup and session, is first in line for the OOM killer, and outlives the service
# short

group=/sys/fs/cgroup/case-$CASE/service
mkdir /sys/fs/cgroup/case-$CASE/shell $group
echo 0 >/sys/fs/cgroup/case-$CASE/shell/cgroup.procs

IN=$group start_victim plain --size 8
start_streaming
clone=$(children)
is "one clone" "$(echo "$clone" | grep -c .)" 1
is "the service's cgroup holds the service alone" "$(cat $group/cgroup.procs)" "$victim"
is "the clone's oom_score_adj" "$(cat /proc/$clone/oom_score_adj)" 1000
session() { awk '{ print $6 }' /proc/$1/stat; }
holds "the clone is in no session of the target's" [ "$(session $clone)" != "$(session $victim)" ]
is "the clone has no descriptor" "$(ls /proc/$clone/fd | grep -c .)" 0
says "ps explains the clone" /proc/$clone/comm '^(dump:|doppel)'
# What a service manager does: everything in the group is killed. The dump is completed nevertheless.
for pid in $(cat $group/cgroup.procs); do kill -KILL $pid; done
wait $victim
finish_streaming
captured "the service was killed while its dump was written" 0
dump_holds "the dump is whole" /tmp/core $address $size 0
nothing_left
rmdir $group
is "the service's cgroup can be removed" "$(ls -d $group 2>/dev/null)" ""
