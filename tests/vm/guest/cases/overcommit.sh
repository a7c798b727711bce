# SPDX-License-Identifier: Apache-2.0
# case: strict overcommit (mode 2): the commit limit leaves no room for a clone, then it does
# short

mode=/proc/sys/vm/overcommit_memory
field() { sed -n "s/^$1: *\([0-9]*\) kB/\1/p" /proc/meminfo; }

echo 80 >/proc/sys/vm/overcommit_ratio
echo 2 >$mode
# Two thirds of what is left: the target gets it, a clone of it does not.
room=$((($(field CommitLimit) - $(field Committed_AS)) / 1024))
start_victim plain --reserve $((room * 2 / 3))
capture --no-compress -o /tmp/core $victim
# Without a clone the direct engine goes on: what may be torn is a loss nobody asked for.
captured "no room: captured with a loss" 3
says "no room: the message names the gate" /tmp/err 'overcommit'
core_holds /tmp/core notes >/tmp/notes
says "no room: the dump names the engine" /tmp/notes '"engine": ?"direct"'
dump_holds "no room: what stood still is right" /tmp/core $address $size 0
unharmed "no room"
rm -f /tmp/core
capture --engine clone --no-compress -o /tmp/core $victim
captured "no room, only a clone will do: refused" 1
says "no room, only a clone will do: the message names the gate" /tmp/err 'overcommit'
holds "no room, only a clone will do: no dump" [ ! -e /tmp/core ]
unharmed "no room, only a clone will do"
rm -f /tmp/core
doppel doctor $victim >/tmp/out 2>/tmp/err
says "no room: doctor says so" /tmp/out 'overcommit'
end_victim

start_victim plain --reserve $((room / 4))
capture --no-compress -o /tmp/core $victim
captured "room enough: captured" 0
dump_holds "room enough: the dump" /tmp/core $address $size 0
unharmed "room enough"
end_victim
echo 0 >$mode
