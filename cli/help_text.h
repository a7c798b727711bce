// SPDX-License-Identifier: Apache-2.0
//
// The help, written by hand: an option's one line should say what it is for, and the examples are
// what people read first. A test holds it to the parser's options.
#ifndef DOPPEL_CLI_HELP_TEXT_H_
#define DOPPEL_CLI_HELP_TEXT_H_

#include <string_view>

namespace doppel {

/// The help of a verb; of the command itself for an empty or unknown one. Ends in a newline.
std::string_view help_text(std::string_view verb);

}  // namespace doppel

#endif  // DOPPEL_CLI_HELP_TEXT_H_
