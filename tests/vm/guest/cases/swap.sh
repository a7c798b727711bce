# SPDX-License-Identifier: Apache-2.0
# case: pages of the target that are in swap are in the dump, and the target keeps them
# short

need "swap disk" mkswap /dev/nvme0n1 >/dev/null
need "swapon" swapon /dev/nvme0n1
start_victim swapped 48
swapped() { sed -n 's/^VmSwap:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/$victim/status; }
before=$(swapped)
holds "most of the target is in swap ($before kB)" [ "$before" -gt 40000 ]
capture --no-compress -o /tmp/core $victim
captured "capture" 0
dump_holds "swapped pages are in the dump" /tmp/core $address $size 0
after=$(swapped)
holds "the target's pages are still in swap ($after kB)" [ "$after" -gt 40000 ]
unharmed
end_victim
rm -f /tmp/core
need "swapoff" swapoff /dev/nvme0n1
