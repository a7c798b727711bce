/* SPDX-License-Identifier: Apache-2.0
 *
 * The busy half of the pair: serves requests that `client` puts into a named section, one at a time, told by
 * two events. Request 0 ends it. It keeps a small ordered table, so that there is work to optimise. */
#include "ntx.h"
#include "pair.h"

enum { kSlots = 64 };

static u64 keys[kSlots], totals[kSlots];
static u32 used;

__attribute__((noinline)) static u32 place_of(u64 key) {
  u32 low = 0, high = used;
  while (low < high) {
    u32 middle = (low + high) / 2;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

__attribute__((noinline)) static u64 serve(u64 key, u64 amount) {
  u32 place = place_of(key);
  if (place == used || keys[place] != key) {
    if (used == kSlots) return ~0ull;
    for (u32 i = used; i > place; --i) {
      keys[i] = keys[i - 1];
      totals[i] = totals[i - 1];
    }
    keys[place] = key;
    totals[place] = 0;
    ++used;
  }
  totals[place] += amount;
  return totals[place];
}

ntstatus entry(struct peb* peb) {
  struct pair pair;
  (void)peb;
  ntstatus status = pair_open(&pair, 1);
  while (status == STATUS_SUCCESS) {
    status = NTX(kServiceWaitForSingleObject, pair.asked, 0, 0);
    if (status != STATUS_SUCCESS || pair.shared->key == 0) break;
    pair.shared->answer = serve(pair.shared->key, pair.shared->amount);
    status = NTX(kServiceSetEvent, pair.answered, 0);
  }
  ntx_exit(status);
  return status;
}
