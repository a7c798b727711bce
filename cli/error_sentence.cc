// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cerrno>

#include <cli/error_sentence.h>
#include <cli/render/quantity.h>
#include <snapshot/support/error_text.h>

namespace doppel {
namespace {

std::string process_text(std::int32_t pid, std::string_view comm) {
  if (comm.empty()) return fmt::format("process {}", pid);
  return fmt::format("process {} ({})", pid, printable(comm));
}

/// "STEP SUBJECT", where a subject that is the process itself is not said twice.
std::string step_text(const Error& error) {
  std::string text = *error.step == '\0' ? "capture" : error.step;
  if (!error.subject.empty()) text += " " + printable(error.subject);
  return text;
}

std::string cause_text(const Error& error) {
  return error.os != 0 ? errno_text(error.os) : std::string();
}

bool is_step(const Error& error, std::string_view step) {
  return step == error.step;
}

/// A gate that the engine met: its one line is the subject (planner.h).
Message preflight_sentence(const Error& error) {
  ExitCode exit = ExitCode::failed;
  if (error.code == Errc::gone) exit = ExitCode::no_such_process;
  if (error.code == Errc::denied) exit = ExitCode::not_permitted;
  return {.exit = exit, .what = printable(error.subject), .why = "", .next = ""};
}

std::string directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return "the current directory";
  return "directory " + printable(slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace

std::string errno_text(int os) {
  Error error;
  error.os = os;
  return error_text(error);
}

Message capture_sentence(const Error& error, std::int32_t pid, std::string_view comm,
                         bool target_lives) {
  const std::string process = process_text(pid, comm);
  const std::string step = step_text(error);
  const std::string cause = cause_text(error);
  if (is_step(error, "preflight")) return preflight_sentence(error);
  if (is_step(error, "keep the pause short")) {
    return {.exit = ExitCode::failed,
            .what = "the pause would be longer than --max-pause",
            .why = printable(error.subject),
            .next = fmt::format("{} was not touched", process)};
  }
  switch (error.code) {
    case Errc::gone:
      if (target_lives) {
        return {.exit = ExitCode::failed,
                .what = fmt::format("{}: it is gone", step),
                .why = "killed by someone else",
                .next = fmt::format("{} runs on, nothing was written", process)};
      }
      return {.exit = ExitCode::no_such_process,
              .what = fmt::format("{} is gone", process),
              .why = step,
              .next = "no dump was written"};
    case Errc::denied:
      return {.exit = ExitCode::not_permitted,
              .what = fmt::format("{}: not permitted", step),
              .why = cause,
              .next = fmt::format("run as root, or see doppel doctor {}", pid)};
    case Errc::timeout:
      return {.exit = ExitCode::failed,
              .what = fmt::format("{}: took too long", step),
              .why = cause,
              .next = fmt::format("{} was released and runs on; try again", process)};
    case Errc::unsupported:
      return {.exit = ExitCode::failed,
              .what = fmt::format("{}: not supported here", step),
              .why = cause,
              .next = fmt::format("see doppel doctor {}", pid)};
    case Errc::limit:
      return {.exit = ExitCode::failed,
              .what = fmt::format("{}: over the limit", step),
              .why = cause,
              .next = fmt::format("{} runs on, nothing was written", process)};
    case Errc::cancelled:
      return {.exit = ExitCode::failed,
              .what = "interrupted",
              .why = "",
              .next = fmt::format("{} runs on, nothing was written", process)};
    case Errc::malformed:
      return {.exit = ExitCode::failed,
              .what = fmt::format("{}: not as expected", step),
              .why = cause,
              .next = "this may be a defect of doppel"};
    case Errc::unmapped:
    case Errc::os:
      break;
  }
  return {.exit = ExitCode::failed,
          .what = fmt::format("{}: {}", step,
                              error.code == Errc::unmapped ? "not readable"
                              : cause.empty()              ? "failed"
                                                           : cause),
          .why = "",
          .next = fmt::format("{} runs on, nothing was written", process)};
}

Message output_sentence(const Error& error, std::string_view path, std::string_view option) {
  const std::string with = fmt::format(" with {}", option);
  const auto message = [](std::string what, std::string why, std::string next) {
    return Message{.exit = ExitCode::failed,
                   .what = std::move(what),
                   .why = std::move(why),
                   .next = std::move(next)};
  };
  const bool to_stdout = path == "-";
  const std::string file = to_stdout ? "stdout" : printable(path);
  const std::string directory = directory_of(path);
  switch (error.os) {
    case EEXIST:
      return message(file + " exists", "dumps are never overwritten", "choose another name" + with);
    case ENOENT:
      return message(directory + " does not exist", "", "create it, or choose another" + with);
    case ENOTDIR:
      return message(directory + " is not a directory", "", "choose another" + with);
    case EACCES:
    case EPERM:
      return message("cannot write in " + directory, errno_text(error.os), "choose another" + with);
    case EROFS:
      return message("cannot write in " + directory, errno_text(EROFS), "choose another" + with);
    case ENAMETOOLONG:
      return message("the name of the dump is too long", "", "choose another" + with);
    case ENOSPC:
    case EDQUOT:
      return message(fmt::format("no room for the dump in {}", to_stdout ? file : directory),
                     errno_text(error.os), "nothing is left there; choose another place" + with);
    case EPIPE:
      return message("the reader of stdout went away", "",
                     "the process runs on; the dump is incomplete");
    default:
      break;
  }
  return message(fmt::format("write the dump to {}: {}", file,
                             error.os != 0 ? errno_text(error.os) : step_text(error)),
                 error.os != 0 ? step_text(error) : "", to_stdout ? "" : "nothing is left there");
}

}  // namespace doppel
