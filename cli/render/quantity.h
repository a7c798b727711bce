// SPDX-License-Identifier: Apache-2.0
//
// Numbers as people read them: three digits and a unit.
#ifndef DOPPEL_CLI_RENDER_QUANTITY_H_
#define DOPPEL_CLI_RENDER_QUANTITY_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace doppel {

/// "0 B", "999 B", "1.00 KiB", "12.3 MiB", "345 GiB".
std::string size_text(std::uint64_t bytes);

/// "850 us", "12.3 ms", "3.20 s", "4 min 05 s", "2 h 03 min".
std::string duration_text(std::chrono::microseconds time);

/// "1 thread", "17 threads".
std::string count_text(std::uint64_t count, std::string_view one, std::string_view many);

/// A time of day, UTC: "2026-11-22T06:47:05Z". Nanoseconds since 1970.
std::string utc_text(std::int64_t ns);

/// `word` as one word of a POSIX shell: as it is where it has nothing special, else in quotes.
std::string shell_word(std::string_view word);

/// A name that a stranger's process chose, fit for a terminal: control characters, and bytes that
/// are no UTF-8, become \xNN, so that no name moves the cursor or forges a line.
std::string printable(std::string_view text);

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_QUANTITY_H_
