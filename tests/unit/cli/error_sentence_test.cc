// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include <cli/error_sentence.h>

namespace doppel {
namespace {

using testing::HasSubstr;

Error error(Errc code, int os, const char* step, std::string subject) {
  Error made;
  made.code = code;
  made.os = os;
  made.step = step;
  made.subject = std::move(subject);
  return made;
}

TEST(error_sentence, system_texts_are_parts_of_a_sentence) {
  EXPECT_EQ(errno_text(ENOSPC), "no space left on device");
  EXPECT_EQ(errno_text(EIO), "input/output error");
  EXPECT_EQ(errno_text(99999), "error 99999");
}

TEST(error_sentence, each_kind_of_failure_has_its_exit_code_and_names_the_step) {
  struct Case {
    Errc code;
    int os;
    ExitCode exit;
    const char* line;
  };

  const Case cases[] = {
      {Errc::gone, ESRCH, ExitCode::no_such_process,
       "process 4711 (redis) is gone (attach to 4711); no dump was written"},
      {Errc::denied, EPERM, ExitCode::not_permitted,
       "attach to 4711: not permitted (operation not permitted); run as root, or see doppel doctor "
       "4711"},
      {Errc::timeout, 0, ExitCode::failed,
       "attach to 4711: took too long; process 4711 (redis) was released and runs on; try again"},
      {Errc::unsupported, ENOSYS, ExitCode::failed,
       "attach to 4711: not supported here (function not implemented); see doppel doctor 4711"},
      {Errc::limit, 0, ExitCode::failed,
       "attach to 4711: over the limit; process 4711 (redis) runs on, nothing was written"},
      {Errc::cancelled, 0, ExitCode::failed,
       "interrupted; process 4711 (redis) runs on, nothing was written"},
      {Errc::malformed, 0, ExitCode::failed,
       "attach to 4711: not as expected; this may be a defect of doppel"},
      {Errc::unmapped, 0, ExitCode::failed,
       "attach to 4711: not readable; process 4711 (redis) runs on, nothing was written"},
      {Errc::os, EIO, ExitCode::failed,
       "attach to 4711: input/output error; process 4711 (redis) runs on, nothing was written"},
      {Errc::os, 0, ExitCode::failed,
       "attach to 4711: failed; process 4711 (redis) runs on, nothing was written"},
  };
  for (const Case& each : cases) {
    const Message message =
        capture_sentence(error(each.code, each.os, "attach to", "4711"), 4711, "redis");
    EXPECT_EQ(message.exit, each.exit) << each.line;
    EXPECT_EQ(to_line(message), each.line);
  }
}

TEST(error_sentence, what_is_gone_is_not_the_process_when_that_lives) {
  const Message message =
      capture_sentence(error(Errc::gone, 0, "wait for the clone", ""), 4711, "redis", true);
  EXPECT_EQ(message.exit, ExitCode::failed);
  EXPECT_EQ(to_line(message),
            "wait for the clone: it is gone (killed by someone else); process 4711 (redis) runs "
            "on, nothing was written");
}

TEST(error_sentence, a_gate_that_the_engine_met_is_its_own_sentence) {
  const Message message =
      capture_sentence(error(Errc::denied, 0, "preflight", "attach: no (why); do"), 4711, "redis");
  EXPECT_EQ(message.exit, ExitCode::not_permitted);
  EXPECT_EQ(to_line(message), "attach: no (why); do");
}

TEST(error_sentence, a_pause_that_would_be_too_long_names_both_times) {
  const Message message = capture_sentence(
      error(Errc::limit, 0, "keep the pause short", "12.3 ms predicted, 5.0 ms allowed"), 4711,
      "redis");
  EXPECT_EQ(message.exit, ExitCode::failed);
  EXPECT_EQ(to_line(message),
            "the pause would be longer than --max-pause (12.3 ms predicted, 5.0 ms allowed); "
            "process 4711 (redis) was not touched");
}

TEST(error_sentence, output_failures_are_exit_1_and_say_what_to_do) {
  const auto line = [](int os, std::string_view path) {
    const Message message = output_sentence(error(Errc::os, os, "create dump", "x"), path);
    EXPECT_EQ(message.exit, ExitCode::failed);
    return to_line(message);
  };
  EXPECT_EQ(line(EEXIST, "d/x.core"),
            "d/x.core exists (dumps are never overwritten); choose another name with -o");
  EXPECT_EQ(line(ENOENT, "d/x.core"),
            "directory d does not exist; create it, or choose another with -o");
  EXPECT_EQ(line(EACCES, "/x"),
            "cannot write in directory / (permission denied); choose another with -o");
  EXPECT_EQ(line(EROFS, "x"),
            "cannot write in the current directory (read-only file system); choose another with "
            "-o");
  EXPECT_EQ(line(ENOTDIR, "f/x"), "directory f is not a directory; choose another with -o");
  EXPECT_THAT(line(ENOSPC, "d/x"), HasSubstr("no room for the dump in directory d (no space left"));
  EXPECT_THAT(line(EPIPE, "-"), HasSubstr("the reader of stdout went away"));
  EXPECT_EQ(line(EIO, "d/x"),
            "write the dump to d/x: input/output error (create dump x); nothing is left there");
}

}  // namespace
}  // namespace doppel
