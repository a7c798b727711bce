/* SPDX-License-Identifier: Apache-2.0
 *
 * The asking half: start it after `server`. Sends a thousand requests, checks every answer against its own
 * sums, tells the server to end, and exits with 0, or with 1 at the first wrong answer. */
#include "ntx.h"
#include "pair.h"

enum { kKeys = 17, kRequests = 1000 };

static u64 expected[kKeys];

ntstatus entry(struct peb* peb) {
  struct pair pair;
  (void)peb;
  ntstatus status = pair_open(&pair, 0);
  u64 random = 12345;
  for (u32 i = 0; status == STATUS_SUCCESS && i < kRequests; ++i) {
    random = random * 6364136223846793005ull + 1442695040888963407ull;
    u32 key = (u32)(random >> 33) % kKeys;
    expected[key] += i;
    pair.shared->key = key + 1;
    pair.shared->amount = i;
    status = NTX(kServiceSetEvent, pair.asked, 0);
    if (status == STATUS_SUCCESS) status = NTX(kServiceWaitForSingleObject, pair.answered, 0, 0);
    if (status == STATUS_SUCCESS && pair.shared->answer != expected[key]) ntx_exit(1);
  }
  if (status == STATUS_SUCCESS) {
    pair.shared->key = 0;
    status = NTX(kServiceSetEvent, pair.asked, 0);
  }
  ntx_exit(status);
  return status;
}
