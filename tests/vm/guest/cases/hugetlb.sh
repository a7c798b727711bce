# SPDX-License-Identifier: Apache-2.0
# case: private huge pages with a pool that is exactly as large as the target's use, and with one large enough for a copy
# short

pool=/proc/sys/vm/nr_hugepages
pages=4

# The dump streams into a pipe that is read only after the owner has written every page again: whatever the writer reads
# late, the kernel has by then taken from a clone for want of a free page.
slow_capture() {
  rm -f /tmp/pipe
  mkfifo /tmp/pipe
  doppel capture --no-compress -o - $victim >/tmp/pipe 2>/tmp/err &
  doppel=$!
  exec 6</tmp/pipe
  # The first bytes of the dump arrive when the target runs again.
  dd bs=64 count=1 <&6 >/tmp/core 2>/dev/null
  is "$1: the owner writes meanwhile" "$(ask write)" "written 1"
  cat <&6 >>/tmp/core
  exec 6<&-
  code=0
  wait $doppel || code=$?
}

echo $pages >$pool
is "a pool of $pages pages" "$(cat $pool)" $pages
start_victim hugetlb $pages
is "no page free" "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" 0
slow_capture "empty pool"
# Captured whole (copied in the stop), or losses named and exit 3: never zeros, never the later generation.
held=$(core_holds /tmp/core covered $address $size)
if [ "$held" = $size ]; then
  captured "empty pool: everything captured" 0
  dump_holds "empty pool: bytes of the instant" /tmp/core $address $size 0
else
  captured "empty pool: losses are an exit code" 3
  core_holds /tmp/core notes >/tmp/notes
  says "empty pool: losses are in the dump" /tmp/notes 'huge'
  is "empty pool: a page is held whole or not at all" "$((held % 2097152))" 0
fi
unharmed "empty pool"
end_victim
is "the pool is free again" "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" $pages

echo $((3 * pages)) >$pool
is "a pool of $((3 * pages)) pages" "$(cat $pool)" $((3 * pages))
start_victim hugetlb $pages
slow_capture "large pool"
captured "large pool: everything captured" 0
dump_holds "large pool: bytes of the instant" /tmp/core $address $size 0
unharmed "large pool"
end_victim
echo 0 >$pool
