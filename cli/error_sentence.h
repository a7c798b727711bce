// SPDX-License-Identifier: Apache-2.0
//
// Errors of the libraries are data; here, and nowhere else, they become sentences with an exit
// code.
#ifndef DOPPEL_CLI_ERROR_SENTENCE_H_
#define DOPPEL_CLI_ERROR_SENTENCE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include <cli/message.h>
#include <snapshot/support/result.h>

namespace doppel {

/// "no space left on device": the system's text for an errno, as part of a sentence.
std::string errno_text(int os);

/// A capture of `pid` (called `comm`, if known) failed: what, why, what next. `target_lives`: the
/// process was looked at since and is there; what is gone then is a task of our own.
Message capture_sentence(const Error& error, std::int32_t pid, std::string_view comm,
                         bool target_lives = false);

/// The dump could not be created, written or published at `path` ("-": stdout). Always exit 1.
Message output_sentence(const Error& error, std::string_view path, std::string_view option = "-o");

}  // namespace doppel

#endif  // DOPPEL_CLI_ERROR_SENTENCE_H_
