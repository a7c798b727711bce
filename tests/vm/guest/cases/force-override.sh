# SPDX-License-Identifier: Apache-2.0
# case: proc_mem.force_override=never: /proc/PID/mem no longer reads pages that forbid it; the dump has them or names them
# boot: proc_mem.force_override=never
# kernels: 6.12 newest

start_victim plain --protect none
capture --no-compress -o /tmp/core $victim
held=$(core_holds /tmp/core covered $address $size)
if [ "$held" = "$size" ]; then
  captured "everything captured" 0
  dump_holds "pages without access are in the dump" /tmp/core $address $size 0
else
  captured "a loss is an exit code" 3
  core_holds /tmp/core notes >/tmp/notes
  says "the loss is in the dump" /tmp/notes "$address"
fi
unharmed
