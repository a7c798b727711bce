// SPDX-License-Identifier: Apache-2.0
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include <cli/console.h>

namespace doppel {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t taken = ::write(fd, text.data(), text.size());
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(taken));
  }
  return true;
}

}  // namespace

Console::Console(ColorChoice color)
    : out_terminal_(::isatty(STDOUT_FILENO) == 1),
      err_terminal_(::isatty(STDERR_FILENO) == 1),
      out_style_(choose_style(color, out_terminal_, ::getenv("NO_COLOR"), ::getenv("TERM"))),
      err_style_(choose_style(color, err_terminal_, ::getenv("NO_COLOR"), ::getenv("TERM"))) {}

bool Console::out(std::string_view text) const {
  return write_all(STDOUT_FILENO, text);
}

void Console::err(std::string_view text) const {
  (void)write_all(STDERR_FILENO, text);
}

ExitCode Console::complain(const Message& message) const {
  err(err_style_.red("doppel: ") + to_line(message) + "\n");
  return message.exit;
}

unsigned Console::err_columns() const {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace doppel
