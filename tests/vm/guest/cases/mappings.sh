# SPDX-License-Identifier: Apache-2.0
# case: 70 000 mappings, more than fit in the e_phnum of an ELF header
# short
# limit: 120

echo 300000 >/proc/sys/vm/max_map_count
start_victim mappings 70000
holds "the target has 70 000 mappings" [ "$(grep -c . /proc/$victim/maps)" -ge 70000 ]
capture --no-compress --json -o /tmp/core $victim
captured "capture" 0
cat /tmp/out
loads=$(core_holds /tmp/core loads)
holds "the header says PN_XNUM and there are more loads than fit ($loads)" \
  sh -c '[ $1 -gt 65535 ] && [ $2 -eq 65535 ]' sh $loads
dump_holds "every page is in the dump" /tmp/core $address $size 0
unharmed
