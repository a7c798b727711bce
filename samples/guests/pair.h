// SPDX-License-Identifier: Apache-2.0
/*
 * What server and client share: a named section with one request, and the two events that hand it
 * over. */
#ifndef DOPPEL_SAMPLES_GUESTS_PAIR_H_
#define DOPPEL_SAMPLES_GUESTS_PAIR_H_

#include "ntx.h"

struct request {
  volatile u64 key, amount, answer;
};

struct pair {
  handle asked, answered;
  struct request* shared;
};

static ntstatus pair_open(struct pair* to, int create) {
  struct unicode_string name;
  struct object_attributes object;
  handle section = 0;
  u64 size = 4096;
  ntstatus status;
  to->shared = 0;
  ntx_name(&object, &name, U("\\BaseNamedObjects\\pair.asked"), 0);
  status = create ? NTX(kServiceCreateEvent, &to->asked, ALL_ACCESS, &object, 1, 0)
                  : NTX(kServiceOpenEvent, &to->asked, ALL_ACCESS, &object);
  if (status != STATUS_SUCCESS) return status;
  ntx_name(&object, &name, U("\\BaseNamedObjects\\pair.answered"), 0);
  status = create ? NTX(kServiceCreateEvent, &to->answered, ALL_ACCESS, &object, 1, 0)
                  : NTX(kServiceOpenEvent, &to->answered, ALL_ACCESS, &object);
  if (status != STATUS_SUCCESS) return status;
  ntx_name(&object, &name, U("\\BaseNamedObjects\\pair.request"), 0);
  status = create ? NTX(kServiceCreateSection, &section, ALL_ACCESS, &object, &size, PAGE_READWRITE,
                        SEC_COMMIT, 0)
                  : NTX(kServiceOpenSection, &section, ALL_ACCESS, &object);
  if (status != STATUS_SUCCESS) return status;
  return NTX(kServiceMapViewOfSection, section, CURRENT_PROCESS, &to->shared, 0, 0, 0, &size,
             VIEW_SHARE, 0, PAGE_READWRITE);
}

#endif /* DOPPEL_SAMPLES_GUESTS_PAIR_H_ */
