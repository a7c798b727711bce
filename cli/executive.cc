// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <cli/error_sentence.h>
#include <cli/executive.h>
#include <cli/output.h>
#include <cli/render/executive.h>
#include <cli/render/json.h>
#include <cli/render/quantity.h>
#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/sink/file_sink.h>
#include <snapshot/executive/capture/executive_backend.h>
#include <snapshot/executive/guest_session.h>
#include <snapshot/support/error_text.h>
#include <snapshot/support/unique_fd.h>

namespace doppel {
namespace {

constexpr std::uint64_t kLargestImage = 64 << 20;

Result<std::vector<std::byte>> read_file(Sys& sys, const std::string& path) {
  const long opened = DOPPEL_TRY(check(sys.openat(AT_FDCWD, path.c_str(), O_RDONLY), "open", path));
  const UniqueFd file(static_cast<int>(opened));
  struct stat facts{};
  DOPPEL_TRY(check(sys.fstat(file.get(), &facts), "stat", path));
  if (!S_ISREG(facts.st_mode)) return fail(Errc::malformed, "read", path);
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (size > kLargestImage) return fail(Errc::limit, "read", path);
  std::vector<std::byte> bytes(size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const long count = DOPPEL_TRY(
        check(sys.pread(file.get(), bytes.data() + done, bytes.size() - done, done), "read", path));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// "holder.exe" to "holder.pdb".
std::string pdb_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  const bool has = dot != std::string::npos && path.find('/', dot) == std::string::npos;
  return (has ? path.substr(0, dot) : path) + ".pdb";
}

/// The calls that show who holds what.
bool is_open(std::string_view call) {
  static constexpr std::array<std::string_view, 6> kOpens = {"NtCreateFile",  "NtOpenFile",
                                                             "NtLockFile",    "NtCreateMutant",
                                                             "NtCreateEvent", "NtCreateSection"};
  return std::ranges::find(kOpens, call) != kOpens.end();
}

/// One run; each step fills in what the next one needs.
class ExecutiveRun {
 public:
  ExecutiveRun(const ExecutiveRunOptions& options, const Console& console, Sys& sys)
      : options_(options), console_(console), sys_(sys), program_(name_of(options.guest)) {}

  ExitCode run() {
    if (auto message = prepare()) return refuse(*message);
    if (auto message = start()) return refuse(*message);
    if (last().end == GuestEnd::crashed) {
      if (auto message = after_crash()) return refuse(*message);
    } else if (options_.dump && last().end != GuestEnd::exited) {
      if (auto message = dump_living()) return refuse(*message);
    } else if (options_.dump) {
      say("no crash, and so no dump\n");
    }
    return tell();
  }

 private:
  std::optional<Message> prepare() {
    Result<std::vector<std::byte>> image = read_file(sys_, options_.guest);
    if (!image) {
      const Error& error = image.error();
      const bool directory = error.code == Errc::malformed;
      return Message{
          .exit = error.code == Errc::denied ? ExitCode::not_permitted : ExitCode::failed,
          .what = "cannot read " + options_.guest,
          .why = directory       ? "not a file"
                 : error.os != 0 ? errno_text(error.os)
                                 : error_text(error),
          .next = ""};
    }
    if (options_.dump) {
      auto opened = open_output(sys_, {.given = options_.dump,
                                       .option = "--dump",
                                       .comm = program_,
                                       .compressed = options_.dump->ends_with(".zst"),
                                       .kind = "dmp",
                                       .stdout_is_terminal = false});
      if (auto* message = std::get_if<Message>(&opened)) return std::move(*message);
      output_ = std::move(std::get<Output>(opened));
    }
    GuestSessionOptions wanted;
    wanted.executive.profile = options_.profile;
    wanted.executive.seed = options_.seed;
    wanted.executive.schedule.policy = SchedulePolicy::seeded;
    if (options_.fault)
      wanted.faults = FaultPlan::nth(options_.fault->first, options_.fault->second);
    wanted.program = program_;
    wanted.image = std::move(*image);
    wanted.arguments = options_.arguments;
    session_ = std::make_unique<GuestSession>(std::move(wanted));
    session_->executive().on_call = [this](const TraceEvent& event) { see(event); };
    return std::nullopt;
  }

  void see(const TraceEvent& event) {
    if (options_.trace) console_.err(trace_line(event));
    if (report_.instances.empty() || event.thread == 0 || !is_open(event.call)) return;
    if (event.process != last().process) return;
    last().opens.push_back({std::string(event.call), event.status});
  }

  GuestInstance& last() { return report_.instances.back(); }

  /// Starts an instance and runs it to its end.
  std::optional<Message> start() {
    std::uint32_t process = 0;
    if (const NtStatus status = session_->launch(process); !status.succeeded()) {
      return Message{
          .exit = ExitCode::failed,
          .what = "cannot start " + options_.guest,
          .why = status_text(status),
          .next = status == status::invalid_image_format || status == status::invalid_image_not_mz
                      ? "it must be a PE32+ program for AMD64"
                      : ""};
    }
    report_.instances.push_back({.process = process});
    say(fmt::format("{} {} started\n", program_, process));
    const std::uint64_t before = session_->executive().stepper().steps();
    last().end = session_->run(options_.max_steps);
    last().steps = session_->executive().stepper().steps() - before;
    if (last().end == GuestEnd::crashed) last().crash = session_->crash();
    if (last().end == GuestEnd::exited) last().exit_status = session_->exit_status();
    say(instance_text(last(), program_));
    if (const std::string& unknown = session_->executive().stepper().unknown_instruction();
        !unknown.empty() && unknown != report_.unknown_instruction) {
      say("  the guest processor does not know: " + unknown + "\n");
      report_.unknown_instruction = unknown;
    }
    return std::nullopt;
  }

  /// The crashed process ends.
  std::optional<Message> dismiss() {
    if (const NtStatus status = session_->dismiss(); !status.succeeded())
      return Message{.exit = ExitCode::failed,
                     .what = "cannot end the crashed process",
                     .why = status_text(status),
                     .next = ""};
    last().exit_status = session_->exit_status();
    say(fmt::format("{} {} ended with {}\n", program_, last().process,
                    status_text(last().exit_status)));
    return std::nullopt;
  }

  /// Starts another one; a crash of it is answered at once.
  std::optional<Message> start_again() {
    if (auto message = start()) return message;
    return last().end == GuestEnd::crashed ? dismiss() : std::nullopt;
  }

  std::optional<Message> clone(ExecutiveBackend& backend, std::uint32_t process,
                               Snapshot& snapshot) {
    backend.inherit_handles(options_.inherit_handles);
    Result<Snapshot> taken = backend.capture({.target = static_cast<std::int32_t>(process)});
    if (!taken)
      return Message{.exit = ExitCode::failed,
                     .what = fmt::format("cannot clone {} {}", program_, process),
                     .why = error_text(taken.error()),
                     .next = ""};
    snapshot = std::move(*taken);
    report_.cloned = true;
    report_.clone_threads = snapshot.image.threads.size();
    report_.clone_regions = snapshot.image.regions.size();
    say(fmt::format("cloned {} its handles: {} regions, {} thread{}\n",
                    options_.inherit_handles ? "with" : "without", report_.clone_regions,
                    report_.clone_threads, report_.clone_threads == 1 ? "" : "s"));
    return std::nullopt;
  }

  /// It runs still, or waits: dumped as it is.
  std::optional<Message> dump_living() {
    ExecutiveBackend backend(session_->service());
    Snapshot snapshot;
    if (auto message = clone(backend, last().process, snapshot)) return message;
    return write(std::move(snapshot));
  }

  std::optional<Message> after_crash() {
    if (!options_.dump && !options_.restart) return dismiss();
    ExecutiveBackend backend(session_->service());
    backend.set_crash(session_->crash());
    Snapshot snapshot;
    if (auto message = clone(backend, session_->crash().process, snapshot)) return message;
    if (auto message = dismiss()) return message;
    // The clone lives: who is started now shows what it holds.
    if (options_.restart) {
      if (auto message = start_again()) return message;
    }
    if (options_.dump) {
      if (auto message = write(std::move(snapshot))) return message;
    } else {
      snapshot = {};
    }
    say("the clone is gone\n");
    if (options_.restart && options_.inherit_handles) return start_again();
    return std::nullopt;
  }

  std::optional<Message> write(Snapshot snapshot) {
    const Result<Selection> selection = select(snapshot.image, *snapshot.memory);
    if (!selection) return unwritten(selection.error());
    Result<DumpPlan> plan = find_format("minidump")->plan(snapshot.image, *selection);
    if (!plan) return unwritten(plan.error());
    report_.omissions = snapshot.image.omissions;
    report_.omissions.insert(report_.omissions.end(), selection->omissions.begin(),
                             selection->omissions.end());
    const bool compress = options_.dump->ends_with(".zst");
    WriteJob job = WriteJob::start(std::move(snapshot), std::move(*plan), std::move(output_.sink),
                                   {.compress = compress, .threads = 1, .sys = &sys_});
    const Result<WriteReport> written = std::move(job).wait();
    if (!written) return output_sentence(written.error(), *options_.dump, "--dump");
    report_.dump = output_.path;
    report_.dump_bytes = written->file_bytes;
    report_.memory_bytes = written->memory_bytes;
    for (const ZeroFilled& each : written->zero_filled)
      report_.omissions.push_back({.what = "memory", .range = each.range, .why = each.why});
    say(fmt::format("dump of {}, {} of memory: {}\n", size_text(report_.dump_bytes),
                    size_text(report_.memory_bytes), *options_.dump));
    for (const std::string& path : {options_.guest, pdb_of(options_.guest)}) {
      if (auto message = lay_beside(path)) return message;
    }
    return std::nullopt;
  }

  Message unwritten(const Error& error) const {
    return {.exit = ExitCode::failed,
            .what = "cannot write " + *options_.dump,
            .why = error_text(error),
            .next = ""};
  }

  /// lldb looks for a module and its PDB beside the dump. What lies there already and is the same
  /// stays; what differs is never overwritten, and said.
  std::optional<Message> lay_beside(const std::string& path) {
    const Result<std::vector<std::byte>> bytes = read_file(sys_, path);
    // A program without a PDB is no failure: the dump is whole without it.
    if (!bytes) return std::nullopt;
    const std::string target = directory_of(*report_.dump) + "/" + name_of(path);
    const Result<std::vector<std::byte>> there = read_file(sys_, target);
    if (there && *there == *bytes) {
      report_.beside.push_back(target);
      return std::nullopt;
    }
    auto sink = FileSink::create(target, sys_);
    Result<> done = sink ? (*sink)->write(*bytes) : Result<>(fail(sink.error()));
    if (done) done = (*sink)->commit();
    if (done) {
      report_.beside.push_back(target);
      return std::nullopt;
    }
    const bool taken = done.error().os == EEXIST;
    report_.omissions.push_back({.what = "the file " + target,
                                 .range = {},
                                 .why = taken
                                            ? "another one is there, and debuggers will look at it"
                                            : error_text(done.error())});
    say(fmt::format("  {} is not laid beside the dump: {}\n", name_of(path),
                    report_.omissions.back().why));
    return std::nullopt;
  }

  ExitCode tell() {
    report_.steps = session_->executive().stepper().steps();
    report_.trace_hash = session_->executive().stepper().trace_hash();
    say(fmt::format("{} steps, trace {:#018x}\n", report_.steps, report_.trace_hash));
    const bool told = options_.json  ? console_.out(executive_json(options_, report_))
                      : report_.dump ? console_.out(*report_.dump + "\n")
                                     : true;
    if (!told)
      return console_.complain(
          {.exit = ExitCode::failed, .what = "cannot write to stdout", .why = "", .next = ""});
    const GuestInstance& first = report_.instances.front();
    if (report_.dump) {
      const bool losses =
          std::ranges::any_of(report_.omissions, [](const Omission& each) { return !each.asked; });
      return losses ? ExitCode::with_losses : ExitCode::done;
    }
    const bool well = first.end == GuestEnd::exited && first.exit_status == status::success;
    return well ? ExitCode::done : ExitCode::failed;
  }

  ExitCode refuse(const Message& message) const {
    if (options_.json) (void)console_.out(error_json(message));
    return console_.complain(message);
  }

  void say(const std::string& text) const {
    if (!options_.json) console_.err(text);
  }

  const ExecutiveRunOptions& options_;
  const Console& console_;
  Sys& sys_;
  std::string program_;
  Output output_;
  ExecutiveReport report_;
  std::unique_ptr<GuestSession> session_;  ///< goes first: its calls are seen by this
};

}  // namespace

ExitCode executive_command(const ExecutiveRunOptions& options, const Console& console, Sys& sys) {
  return ExecutiveRun(options, console, sys).run();
}

}  // namespace doppel
