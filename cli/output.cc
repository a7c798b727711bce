// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include <cli/dump_name.h>
#include <cli/error_sentence.h>
#include <cli/output.h>
#include <cli/render/quantity.h>
#include <dumpwriter/sink/fd_sink.h>
#include <dumpwriter/sink/file_sink.h>

namespace doppel {
namespace {

// A second dump of one process within one second gets a number; more than a few are a mistake.
constexpr unsigned kAttempts = 100;

bool is_directory(Sys& sys, const std::string& path) {
  struct stat facts{};
  return sys.fstatat(AT_FDCWD, path.c_str(), &facts, 0) >= 0 && S_ISDIR(facts.st_mode);
}

std::variant<Output, Message> open_stdout(Sys& sys, const OutputRequest& request) {
  if (request.stdout_is_terminal) {
    return Message{.exit = ExitCode::usage,
                   .what = "-o - would write a dump to the terminal",
                   .why = "",
                   .next = "send stdout to a file or a pipe"};
  }
  Result<std::unique_ptr<FdSink>> sink = FdSink::create(STDOUT_FILENO, sys);
  if (!sink) return output_sentence(sink.error(), "-");
  return Output{.sink = std::move(*sink), .path = {}, .free_space = {}};
}

}  // namespace

std::variant<Output, Message> open_output(Sys& sys, const OutputRequest& request) {
  if (request.given == "-") return open_stdout(sys, request);
  const std::string given = request.given.value_or("");
  const bool directory = !given.empty() && is_directory(sys, given);
  const bool own_name = given.empty() || directory || given.ends_with('/');
  for (unsigned attempt = 0;; ++attempt) {
    const std::string name = default_dump_name(request.comm, request.pid, request.seconds,
                                               request.compressed, attempt, request.kind);
    const std::string path = dump_path(given, directory, name);
    Result<std::unique_ptr<FileSink>> sink = FileSink::create(path, sys);
    if (!sink) {
      if (own_name && sink.error().os == EEXIST && attempt < kAttempts) continue;
      return output_sentence(sink.error(), path, request.option);
    }
    Output output{.sink = nullptr, .path = path, .free_space = {}};
    if (const Result<std::uint64_t> free = (*sink)->free_space()) output.free_space = *free;
    output.sink = std::move(*sink);
    return output;
  }
}

SizeEstimate estimate_dump(std::uint64_t memory, bool compressed) {
  // Headers and notes.
  constexpr std::uint64_t kOverhead = 64 << 10;
  if (!compressed) return {.least = memory / 10 * 9, .most = memory + kOverhead};
  return {.least = memory / 10, .most = memory / 4 * 3 + kOverhead};
}

std::optional<Message> check_space(std::uint64_t free_space, const SizeEstimate& estimate,
                                   const std::string& path) {
  if (free_space >= estimate.least && free_space > 0) return std::nullopt;
  Error error;
  error.os = ENOSPC;
  Message message = output_sentence(error, path);
  message.why = fmt::format("{} free, a dump of this process takes {} to {}", size_text(free_space),
                            size_text(estimate.least), size_text(estimate.most));
  message.next = "the process was not touched; choose another place with -o";
  return message;
}

std::string space_remark(std::uint64_t free_space, const SizeEstimate& estimate) {
  if (free_space >= estimate.most) return "";
  return fmt::format("the dump may not fit: {} free, it may take up to {}", size_text(free_space),
                     size_text(estimate.most));
}

}  // namespace doppel
