// SPDX-License-Identifier: Apache-2.0
//
// Which pages of a process exist: PAGEMAP_SCAN (Linux 6.7, commit 52526ca7fdb9), or the entries of
// /proc/PID/pagemap where the kernel lacks it. A reserved terabyte costs nothing with the first and
// time with the second; callers skip what is known to be empty.
#ifndef DOPPEL_SNAPSHOT_LINUX_PAGEMAP_H_
#define DOPPEL_SNAPSHOT_LINUX_PAGEMAP_H_

#include <vector>

#include <snapshot/model/address.h>
#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

struct PageRun {
  AddressRange range;
  enum class Kind { present, swapped, guard } kind = Kind::present;
};

/// The runs of pages in `within` that exist, by address. `pagemap_fd` is the process's pagemap.
Result<std::vector<PageRun>> scan_pagemap(Sys& sys, int pagemap_fd, AddressRange within);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_PAGEMAP_H_
