// SPDX-License-Identifier: Apache-2.0
//
// What programs read: one object on one line. The keys are part of the command's contract; new ones
// may come, none goes.
#ifndef DOPPEL_CLI_RENDER_JSON_H_
#define DOPPEL_CLI_RENDER_JSON_H_

#include <string>
#include <vector>

#include <cli/message.h>
#include <cli/report.h>
#include <dumpwriter/elf/json_writer.h>
#include <snapshot/model/omission.h>

namespace doppel {

/// Ends in a newline, like the others.
std::string capture_json(const CaptureReport& report);

/// Writes the member "omissions": what is missing, where and why.
void put_omissions(JsonWriter& json, const std::vector<Omission>& omissions);

/// {"schema":1,"error":{"exit","what","why","next"}}: why there is no dump.
std::string error_json(const Message& message);

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_JSON_H_
