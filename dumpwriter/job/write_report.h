// SPDX-License-Identifier: Apache-2.0
//
// What became of a dump: how large, how long, and what is not as planned. A value; it knows neither
// files nor threads.
#ifndef DOPPEL_DUMPWRITER_JOB_WRITE_REPORT_H_
#define DOPPEL_DUMPWRITER_JOB_WRITE_REPORT_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <snapshot/model/address.h>

namespace doppel {

/// Memory that could be read when the dump was planned, and not when it was written: zeros stand in
/// its place, and this says so.
struct ZeroFilled {
  AddressRange range;
  std::string why;
  bool operator==(const ZeroFilled&) const = default;
};

struct WriteReport {
  /// At most this many ranges are listed; all are counted.
  static constexpr std::size_t kMaxRanges = 4096;

  std::uint64_t file_bytes = 0;     ///< what went to the sink
  std::uint64_t core_bytes = 0;     ///< the dump before compression, as far as it was written
  std::uint64_t planned_bytes = 0;  ///< the dump before compression, whole
  std::uint64_t memory_bytes = 0;   ///< of core_bytes, read from the target
  std::uint64_t zero_bytes = 0;     ///< of core_bytes, found to be whole blocks or pages of zeros
  std::chrono::milliseconds elapsed{0};
  int level = 0;         ///< of compression; meaningless for a dump that is not compressed
  unsigned threads = 0;  ///< that read and compressed
  bool cut_short = false;
  std::string cut_reason;               ///< why, when cut short
  std::vector<ZeroFilled> zero_filled;  ///< by place in the dump
  std::uint64_t zero_filled_pages = 0;  ///< of 4096 bytes, partly filled ones included
};

/// One object: {"schema":1,"complete":...,"cut_short":null|REASON,"core_bytes":N,...,
/// "zero_filled":[{"address":"0x..","size":N,"why":..}]}. Written into the dump (see WriteOptions),
/// so that a dump that was cut short says so by itself.
std::string write_report_json(const WriteReport& report);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_JOB_WRITE_REPORT_H_
