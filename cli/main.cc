// SPDX-License-Identifier: Apache-2.0
//
// The command line: judged in arguments.cc, then one command runs. Nothing else happens here.
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include <cli/arguments.h>
#include <cli/message.h>

namespace {

int complain(const doppel::Message& message) {
  std::fprintf(stderr, "doppel: %s\n", doppel::to_line(message).c_str());
  return static_cast<int>(message.exit);
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + (count > 0 ? 1 : 0), words + count);
  const doppel::Command command = doppel::parse_arguments(arguments);
  if (const auto* say = std::get_if<doppel::Say>(&command)) {
    std::fputs(say->text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  if (const auto* message = std::get_if<doppel::Message>(&command)) return complain(*message);
  return complain(doppel::Message{.exit = doppel::ExitCode::failed,
                                  .what = "this build has no capture engine yet",
                                  .why = "",
                                  .next = ""});
}
