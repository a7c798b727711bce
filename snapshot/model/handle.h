// SPDX-License-Identifier: Apache-2.0
#ifndef DOPPEL_SNAPSHOT_MODEL_HANDLE_H_
#define DOPPEL_SNAPSHOT_MODEL_HANDLE_H_

#include <cstdint>
#include <optional>
#include <string>

#include <snapshot/model/windows.h>

namespace doppel {

/// A handle (on Linux a file descriptor) that the target holds: described, never duplicated.
struct Handle {
  std::uint64_t number = 0;
  std::string kind;            ///< "file", "socket", "pipe", "eventfd", ...
  std::string target;          ///< what it refers to, as the system names it
  std::uint64_t flags = 0;     ///< open flags
  std::uint64_t position = 0;  ///< bytes
  std::optional<WindowsHandle> windows = std::nullopt;
  bool operator==(const Handle&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_HANDLE_H_
