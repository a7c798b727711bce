// SPDX-License-Identifier: Apache-2.0
#ifndef DOPPEL_SNAPSHOT_MODEL_MODULE_H_
#define DOPPEL_SNAPSHOT_MODEL_MODULE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <snapshot/model/address.h>
#include <snapshot/model/windows.h>

namespace doppel {

/// An executable or library that is mapped: first mapping to last, and its build id where it has
/// one.
struct Module {
  AddressRange range;
  std::string path;
  std::vector<std::byte> build_id;
  std::optional<WindowsModule> windows = std::nullopt;
  bool operator==(const Module&) const = default;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_MODEL_MODULE_H_
