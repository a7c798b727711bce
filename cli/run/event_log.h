// SPDX-License-Identifier: Apache-2.0
//
// --json-events: one object a line, each in one write, so that others may follow and append to the
// same file.
#ifndef DOPPEL_CLI_RUN_EVENT_LOG_H_
#define DOPPEL_CLI_RUN_EVENT_LOG_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <dumpwriter/elf/json_writer.h>
#include <snapshot/support/result.h>
#include <snapshot/support/sys.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {

class EventLog {
 public:
  explicit EventLog(Sys& sys) : sys_(sys) {}

  /// Opens the file for appending, made with mode 0600 if it is new.
  Result<> open(const std::string& path);

  /// Writes {"event":NAME,"t_us":N,"pid":N,...}; `more` adds members. Nothing without a file. A
  /// file that cannot be written to is nobody's concern here: the service comes first.
  void write(std::string_view event, std::uint64_t t_us, std::int32_t pid,
             const std::function<void(JsonWriter&)>& more = {}) const;

 private:
  Sys& sys_;
  UniqueFd file_;
};

}  // namespace doppel

#endif  // DOPPEL_CLI_RUN_EVENT_LOG_H_
