# SPDX-License-Identifier: Apache-2.0
# case: the machine itself runs out of memory while the dump is written: the clone is given up, the kernel kills nobody
# short

available() { sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo; }

# The target takes six tenths of the machine; a copy of all of it does not fit beside it.
start_victim writer $(($(available) * 6 / 10 / 1024))
dmesg -c >/tmp/before
start_streaming
until_gone 50
is "no clone is left although nothing was read" "$(children)" ""
finish_streaming
captured "cut short is an exit code" 3
says "the message says why" /tmp/err 'memory|MemAvailable'
is "the kernel killed nothing" "$(dmesg | grep -c 'Out of memory')" 0
unharmed
