// SPDX-License-Identifier: Apache-2.0
//
// An Error as one line for people. The only prose made below cli/, and it is put together from the
// Error's own data: step, subject, reason. What to do about it is the command's to say.
#ifndef DOPPEL_SNAPSHOT_SUPPORT_ERROR_TEXT_H_
#define DOPPEL_SNAPSHOT_SUPPORT_ERROR_TEXT_H_

#include <string>
#include <string_view>

#include <snapshot/support/result.h>

namespace doppel {

/// "attach to thread 4711: operation not permitted": lower case, no full stop, no line break at the
/// end. The reason is the system's own when there is an errno, and error_reason(code) otherwise.
std::string error_text(const Error& error);

/// "no such process", "not permitted", ...: the code alone, in words. Never empty.
std::string_view error_reason(Errc code);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_SUPPORT_ERROR_TEXT_H_
