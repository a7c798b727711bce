// SPDX-License-Identifier: Apache-2.0
//
// Colour, or none. Whether there is any is decided once per stream, in main().
#ifndef DOPPEL_CLI_RENDER_STYLE_H_
#define DOPPEL_CLI_RENDER_STYLE_H_

#include <string>
#include <string_view>

#include <cli/options.h>

namespace doppel {

struct Style {
  bool color = false;

  std::string bold(std::string_view text) const { return paint("1", text); }

  std::string dim(std::string_view text) const { return paint("2", text); }

  std::string red(std::string_view text) const { return paint("31", text); }

  std::string green(std::string_view text) const { return paint("32", text); }

  std::string yellow(std::string_view text) const { return paint("33", text); }

 private:
  std::string paint(std::string_view code, std::string_view text) const {
    if (!color) return std::string(text);
    std::string painted = "\x1b[";
    painted.append(code).append("m").append(text).append("\x1b[0m");
    return painted;
  }
};

/// What `--color`, NO_COLOR (no-color.org: set and not empty), TERM=dumb and the stream say.
/// `no_color` and `term` are the variables' values, null when unset.
Style choose_style(ColorChoice choice, bool terminal, const char* no_color, const char* term);

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_STYLE_H_
