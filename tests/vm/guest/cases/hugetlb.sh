# SPDX-License-Identifier: Apache-2.0
# case: private huge pages with a pool that is exactly as large as the target's use, and with one large enough for a copy
# short

pool=/proc/sys/vm/nr_hugepages
pages=4

# The dump is read only after the owner has written every page again: whatever the writer reads late, the kernel has by then
# taken from the clone for want of a free page.

echo $pages >$pool
is "a pool of $pages pages" "$(cat $pool)" $pages
start_victim hugetlb $pages
is "no page free" "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" 0
start_streaming
is "empty pool: the owner writes meanwhile" "$(ask write)" "written 1"
finish_streaming
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
start_streaming
is "large pool: the owner writes meanwhile" "$(ask write)" "written 1"
finish_streaming
captured "large pool: everything captured" 0
dump_holds "large pool: bytes of the instant" /tmp/core $address $size 0
unharmed "large pool"
end_victim
echo 0 >$pool
