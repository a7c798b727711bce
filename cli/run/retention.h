// SPDX-License-Identifier: Apache-2.0
//
// --keep N: which dumps of a program are too many. Only names that doppel gives itself are ever
// considered.
#ifndef DOPPEL_CLI_RUN_RETENTION_H_
#define DOPPEL_CLI_RUN_RETENTION_H_

#include <string>
#include <string_view>
#include <vector>

#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>

namespace doppel {

/// Those of `names` that are dumps of `comm` (see default_dump_name()) beyond the `keep` newest,
/// oldest first.
std::vector<std::string> surplus_dumps(const std::vector<std::string>& names, std::string_view comm,
                                       std::size_t keep);

/// Removes them from `directory`; returns how many went. An error when one of them, or the
/// directory, refuses: what could be removed is.
Result<std::size_t> remove_surplus(Sys& sys, const std::string& directory, std::string_view comm,
                                   std::size_t keep);

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_RETENTION_H_
