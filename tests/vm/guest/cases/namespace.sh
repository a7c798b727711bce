# SPDX-License-Identifier: Apache-2.0
# case: PID 1 of a pid namespace, from outside and from inside; a container made by an ordinary user
# short

# inside CLAIM: the victim is the process that `unshare` started.
inside() {
  outer=$victim
  victim=$(cat /proc/$outer/task/$outer/children)
  victim=${victim% }
  is "$1: the target is PID 1 of its namespace" \
    "$(sed -n 's/^NSpid:[[:space:]]*//p' /proc/$victim/status | tr '\t' ' ')" "$victim 1"
}

start_victim unshare --pid --fork --mount-proc plain
inside "root's container"
capture --no-compress -o /tmp/core $victim
captured "from outside" 0
dump_holds "from outside: the dump" /tmp/core $address $size 0
unharmed "from outside"
rm -f /tmp/core
code=0
nsenter -t $victim -p -m doppel capture --no-compress -o /tmp/core 1 >/tmp/out 2>/tmp/err || code=$?
captured "from inside" 0
dump_holds "from inside: the dump" /tmp/core $address $size 0
unharmed "from inside"
rm -f /tmp/core
end_victim

AS=1000 start_victim unshare --user --map-root-user --pid --fork --mount --net --ipc --uts plain
AS=""
inside "a user's container"
capture --no-compress -o /tmp/core $victim
captured "a user's container, by root" 0
dump_holds "a user's container, by root: the dump" /tmp/core $address $size 0
unharmed "a user's container, by root"
rm -f /tmp/core
chmod 1777 /tmp
AS=1000
capture --no-compress -o /tmp/core $victim
captured "a user's container, by the user" 0
dump_holds "a user's container, by the user: the dump" /tmp/core $address $size 0
unharmed "a user's container, by the user"
