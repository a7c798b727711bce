// SPDX-License-Identifier: Apache-2.0
//
// The two streams of the command and what is known of them. stdout carries data, stderr progress
// and messages. Every write looks at its outcome: a closed stdout is a failure, a closed stderr is
// nobody's concern.
#ifndef DOPPEL_CLI_CONSOLE_H_
#define DOPPEL_CLI_CONSOLE_H_

#include <string_view>

#include <cli/message.h>
#include <cli/options.h>
#include <cli/render/style.h>

namespace doppel {

class Console {
 public:
  /// Looks at file descriptors 1 and 2 and at the environment.
  explicit Console(ColorChoice color);

  /// Data to stdout, all of it; false when it could not be written.
  [[nodiscard]] bool out(std::string_view text) const;
  /// A message to stderr, as it is.
  void err(std::string_view text) const;
  /// "doppel: WHAT (WHY); NEXT" to stderr; returns its exit code.
  ExitCode complain(const Message& message) const;

  bool out_is_terminal() const { return out_terminal_; }

  bool err_is_terminal() const { return err_terminal_; }

  Style out_style() const { return out_style_; }

  Style err_style() const { return err_style_; }

  /// Width of the terminal at stderr now; 80 when it is none.
  unsigned err_columns() const;

 private:
  bool out_terminal_;
  bool err_terminal_;
  Style out_style_;
  Style err_style_;
};

}  // namespace doppel

#endif  // DOPPEL_CLI_CONSOLE_H_
