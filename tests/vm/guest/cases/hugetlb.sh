# SPDX-License-Identifier: Apache-2.0
# case: private huge pages with a pool that is exactly as large as the target's use, and with one large enough for a copy
# short

pool=/proc/sys/vm/nr_hugepages
pages=4

# The dump is read only after the owner has written every page again: whatever the writer reads late, the kernel has by then
# taken from the clone for want of a free page.

# empty_pool COUNT "claim": a victim of so many pages, with a pool of so many; captured while it writes.
empty_pool() {
  echo $1 >$pool
  is "a pool of $1 pages" "$(cat $pool)" $1
  start_victim hugetlb $1
  is "no page free" "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" 0
  start_streaming
  is "$2: the owner writes meanwhile" "$(ask write)" "written 1"
  finish_streaming
}

# Few: copied in the stop.
empty_pool $pages "empty pool"
captured "empty pool: everything captured" 0
dump_holds "empty pool: bytes of the instant" /tmp/core $address $size 0
unharmed "empty pool"
end_victim
is "the pool is free again" "$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)" $pages

# Many: what is lost is said to the byte, and is never the later generation.
empty_pool $((5 * pages)) "large and empty pool"
captured "large and empty pool: losses are an exit code" 3
lost=$(core_holds /tmp/core words-or-zeros $address $size 0) || lost="more: $lost"
case $lost in
  0) fail "large and empty pool: nothing is lost, so this shows nothing" ;;
  *[!0-9]*) fail "large and empty pool: $lost" ;;
  *) pass "large and empty pool: bytes of the instant, or none" ;;
esac
says "large and empty pool: the loss is said" /tmp/err "missing +memory"
unharmed "large and empty pool"
end_victim

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
