// SPDX-License-Identifier: Apache-2.0
#include <cli/render/style.h>

namespace doppel {

Style choose_style(ColorChoice choice, bool terminal, const char* no_color, const char* term) {
  if (choice == ColorChoice::always) return Style{true};
  if (choice == ColorChoice::never) return Style{false};
  const bool unwanted = no_color != nullptr && *no_color != '\0';
  const bool dumb = term == nullptr || *term == '\0' || std::string_view(term) == "dumb";
  return Style{terminal && !unwanted && !dumb};
}

}  // namespace doppel
