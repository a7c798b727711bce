// SPDX-License-Identifier: Apache-2.0
#include <cli/message.h>

namespace doppel {

std::string to_line(const Message& message) {
  std::string line = message.what;
  if (!message.why.empty()) line += " (" + message.why + ")";
  if (!message.next.empty()) line += "; " + message.next;
  return line;
}

}  // namespace doppel
