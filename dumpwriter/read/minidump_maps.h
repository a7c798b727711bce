// SPDX-License-Identifier: Apache-2.0
//
// The text of /proc/PID/maps as a minidump carries it, into regions. A dump is hostile and may be
// cut anywhere; a line that is none is skipped. (snapshot/linux has a parser of its own for live
// processes: it reads more, of a text that the kernel vouches for.)
#ifndef DOPPEL_DUMPWRITER_READ_MINIDUMP_MAPS_H_
#define DOPPEL_DUMPWRITER_READ_MINIDUMP_MAPS_H_

#include <string_view>
#include <vector>

#include <snapshot/model/region.h>

namespace doppel {

/// In the text's order.
std::vector<Region> parse_maps_text(std::string_view text);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_READ_MINIDUMP_MAPS_H_
