# SPDX-License-Identifier: Apache-2.0
# case: a plain capture, compressed and not, as root and as the owner of the process
# short

AS=1000 start_victim plain --size 8
chmod 777 /tmp
for who in 0 1000; do
  if [ $who = 0 ]; then AS=""; else AS=$who; fi
  capture --no-compress --json -o /tmp/core $victim
  captured "uid $who: plain" 0
  dump_holds "uid $who: the dump" /tmp/core $address $size 0
  says "uid $who: the clone engine was used" /tmp/out '"engine": ?"clone"'
  AS=1000 unharmed "uid $who"
  rm -f /tmp/core
  capture -o /tmp/core.zst $victim
  captured "uid $who: compressed" 0
  holds "uid $who: the file is there and smaller than the memory" \
    sh -c 'size=$(stat -c %s /tmp/core.zst) && [ $size -gt 1000 ] && [ $size -lt 10000000 ]'
  rm -f /tmp/core.zst
done
is "memory of the next generation" "$(ask write)" "written 1"
AS=""
capture --no-compress -o /tmp/core $victim
dump_holds "the dump of generation 1" /tmp/core $address $size 1
