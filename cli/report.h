// SPDX-License-Identifier: Apache-2.0
//
// What became of a capture, as a value: made by the capture command, shown by render/.
#ifndef DOPPEL_CLI_REPORT_H_
#define DOPPEL_CLI_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/model/omission.h>
#include <snapshot/model/process_image.h>

namespace doppel {

struct CaptureReport {
  std::optional<std::string> dump;  ///< its path; absent: it went to stdout
  std::string format;               ///< "elf"
  bool compressed = true;
  ProcessInfo process;
  std::uint64_t threads = 0;
  std::uint64_t regions = 0;
  std::uint64_t memory_bytes = 0;  ///< of the target, that stand in the dump
  std::uint64_t dump_bytes = 0;    ///< of the file
  std::uint64_t write_ms = 0;
  std::vector<Omission> omissions;
  std::vector<TornRange> torn;
  std::vector<std::string> notes;        ///< remarks of the engine's choice and the like
  std::optional<std::string> cut_short;  ///< why the dump ends early
};

/// True when something is missing that nobody asked to leave out, or the dump ends early: exit
/// code 3.
bool has_losses(const CaptureReport& report);

/// Those of `torn` that are in the dump at all: not wholly within one of `omissions`.
std::vector<TornRange> torn_in_dump(const std::vector<TornRange>& torn,
                                    const std::vector<Omission>& omissions);

/// Omissions of one kind, together.
struct OmissionGroup {
  std::string what;
  std::string why;
  bool asked = false;
  std::uint64_t count = 0;
  std::uint64_t size = 0;  ///< bytes
  AddressRange first;
  bool operator==(const OmissionGroup&) const = default;
};

/// By what, why and asked, in the order in which each kind first appears.
std::vector<OmissionGroup> group_omissions(const std::vector<Omission>& omissions);

}  // namespace doppel

#endif  // DOPPEL_CLI_REPORT_H_
