// SPDX-License-Identifier: Apache-2.0
//
// What people read at the end of a command.
#ifndef DOPPEL_CLI_RENDER_TEXT_H_
#define DOPPEL_CLI_RENDER_TEXT_H_

#include <string>

#include <cli/render/style.h>
#include <cli/report.h>

namespace doppel {

/// The summary of a capture, a few lines, each ended.
std::string capture_text(const CaptureReport& report, const Style& style);

/// Only what is wrong with it: losses and an early end. Empty when nothing is.
std::string losses_text(const CaptureReport& report, const Style& style);

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_TEXT_H_
