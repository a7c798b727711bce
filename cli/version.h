// SPDX-License-Identifier: Apache-2.0
#ifndef DOPPEL_CLI_VERSION_H_
#define DOPPEL_CLI_VERSION_H_

#include <string_view>

namespace doppel {

/// "0.1.0": the version of the build.
inline constexpr std::string_view kVersion = DOPPEL_VERSION;

}  // namespace doppel

#endif  // DOPPEL_CLI_VERSION_H_
