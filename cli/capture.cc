// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>
#include <variant>

#include <cli/capture.h>
#include <cli/error_sentence.h>
#include <cli/memory_guard.h>
#include <cli/output.h>
#include <cli/preflight_verdict.h>
#include <cli/process_table.h>
#include <cli/render/json.h>
#include <cli/render/progress_line.h>
#include <cli/render/quantity.h>
#include <cli/render/text.h>
#include <cli/report.h>
#include <cli/signal_watch.h>
#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <snapshot/linux/linux_backend.h>
#include <snapshot/linux/planner.h>
#include <snapshot/linux/preflight.h>
#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/proc_reader.h>
#include <snapshot/support/error_text.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;

template <class Value>
using Outcome = std::variant<Value, Message>;

/// One capture on its way; each step fills in what the next one needs.
class Capture {
 public:
  Capture(const CaptureOptions& options, const Console& console, Sys& sys)
      : options_(options), console_(console), sys_(sys) {}

  ExitCode run() {
    if (auto message = find_target()) return refuse(*message);
    if (auto message = look_first()) return refuse(*message);
    if (auto message = open()) return refuse(*message);
    guard_.emplace(sys_, pid_);
    if (!guard_->watches() || !signals_.watches()) return refuse(no_thread());
    if (auto message = take()) return refuse(*message);
    if (auto message = write()) return refuse(*message);
    return tell();
  }

 private:
  /// Before the target is touched: what follows needs threads.
  static Message no_thread() {
    return {.exit = ExitCode::failed,
            .what = "start a thread: not possible",
            .why = "RLIMIT_NPROC, RLIMIT_AS or pids.max",
            .next = "raise the limit (ulimit -u, ulimit -v)"};
  }

  std::optional<Message> find_target() {
    std::vector<ProcessEntry> candidates;
    const auto target = resolve_target(sys_, options_.target, candidates);
    if (const auto* message = std::get_if<Message>(&target)) {
      if (candidates.size() > 1) console_.err(candidates_text(candidates, console_.err_columns()));
      return *message;
    }
    pid_ = std::get<std::int32_t>(target);
    return std::nullopt;
  }

  /// Everything that can be known without touching the target.
  std::optional<Message> look_first() {
    const Preflight preflight = doppel::preflight(
        sys_, pid_, {.force_undumpable = options_.force_undumpable, .shared = options_.shared});
    comm_ = preflight.exists ? preflight.stat.comm : "";
    if (auto message = refusal(preflight, options_.engine)) return message;
    const Result<StopPlan> plan = plan_stop(preflight, request());
    if (!plan) return failure(plan.error());
    for (const Gate& gate : plan->reasons) report_.notes.push_back("no clone: " + gate_line(gate));
    memory_ = dumped_memory(preflight);
    return interrupted();
  }

  CaptureRequest request() const {
    return {.target = pid_,
            .max_pause = options_.max_pause,
            .shared = options_.shared,
            .engine = options_.engine,
            .force_undumpable = options_.force_undumpable,
            .stop = signals_.token()};
  }

  /// What the dump will hold of the target's memory, roughly: what no file holds.
  std::uint64_t dumped_memory(const Preflight& preflight) const {
    const ProcStatus& status = preflight.status;
    std::uint64_t bytes = status.resident_anonymous.value_or(status.resident.value_or(0)) +
                          status.swapped.value_or(0) + status.hugetlb.value_or(0);
    if (options_.shared != SharedMemory::omit) bytes += status.resident_shared.value_or(0);
    return bytes;
  }

  std::optional<Message> open() {
    auto opened = open_output(sys_, {.given = options_.output,
                                     .comm = comm_,
                                     .pid = pid_,
                                     .seconds = std::time(nullptr),
                                     .compressed = options_.compress,
                                     .kind = options_.format == "minidump" ? "dmp" : "core",
                                     .stdout_is_terminal = console_.out_is_terminal()});
    if (auto* message = std::get_if<Message>(&opened)) return std::move(*message);
    output_ = std::move(std::get<Output>(opened));
    if (!output_.free_space) return std::nullopt;
    const SizeEstimate estimate = estimate_dump(memory_, options_.compress);
    if (auto message = check_space(*output_.free_space, estimate, path())) return message;
    const std::string remark = space_remark(*output_.free_space, estimate);
    if (!remark.empty() && !options_.quiet) console_.err("doppel: " + remark + "\n");
    return std::nullopt;
  }

  std::optional<Message> take() {
    LinuxBackend backend(sys_);
    backend.on_end([this](const Result<>& ended) {
      if (!ended) left_behind_ = ended.error();
    });
    Result<Snapshot> snapshot = backend.capture(request());
    if (!snapshot) return failure(snapshot.error());
    snapshot_ = std::move(*snapshot);
    const std::vector<std::string>& remarks = snapshot_.image.process.remarks;
    report_.notes.insert(report_.notes.end(), remarks.begin(), remarks.end());
    const std::uint64_t pause = snapshot_.image.process.timings.pause_us;
    if (options_.max_pause && pause > static_cast<std::uint64_t>(options_.max_pause->count())) {
      report_.notes.push_back(
          "held longer than --max-pause: the prediction was wrong (a busy machine, a thread that "
          "did not stop at once)");
    }
    return interrupted();
  }

  Result<DumpPlan> make_plan() {
    const ProcessImage& image = snapshot_.image;
    const Selection selection = DOPPEL_TRY(
        select(image, *snapshot_.memory,
               {.filter = options_.filter, .omit_shared = options_.shared == SharedMemory::omit}));
    DumpPlan plan = DOPPEL_TRY(find_format(options_.format)->plan(image, selection));
    describe(image, selection);
    // With tens of thousands of mappings the facts are large, and all that is left to do needs
    // bytes alone.
    snapshot_.image = {};
    return plan;
  }

  std::optional<Message> write() {
    Result<DumpPlan> plan = make_plan();
    if (!plan) return failure(plan.error());

    WriteOptions write_options;
    write_options.compress = options_.compress;
    if (options_.level) write_options.level = *options_.level;
    if (options_.threads) write_options.threads = *options_.threads;
    write_options.sys = &sys_;
    WriteJob job = WriteJob::start(std::move(snapshot_), std::move(*plan), std::move(output_.sink),
                                   std::move(write_options));
    watch(job);
    Result<WriteReport> written = std::move(job).wait();
    if (!written) {
      if (written.error().code == Errc::cancelled) return failure(written.error());
      return output_sentence(written.error(), path());
    }
    add(*written);
    // The snapshot is gone by now, so its end is known.
    if (left_behind_) {
      report_.omissions.push_back(
          {.what = "the end of the clone",
           .range = {},
           .why = error_text(*left_behind_) + "; a zombie may be left in the process",
           .asked = false});
    }
    return std::nullopt;
  }

  /// Until the job is done: progress, time-out, Ctrl-C, memory.
  void watch(WriteJob& job) {
    const std::stop_callback cancel(signals_.token(), [&job] { job.cancel(); });
    guard_->watch([&job](const std::string& reason) { job.cut_short(reason); });
    const bool show = console_.err_is_terminal() && !options_.quiet;
    const auto start = std::chrono::steady_clock::now();
    ProgressLine line(start, job.progress().planned);
    bool timed_out = false;
    while (!job.wait_for(next_look(start, timed_out))) {
      const auto now = std::chrono::steady_clock::now();
      if (show) console_.err(redraw(line.update(now, job.progress().done, console_.err_columns())));
      if (options_.timeout && !timed_out && now - start >= *options_.timeout) {
        timed_out = true;
        job.cut_short(fmt::format("--timeout of {} reached", duration_text(*options_.timeout)));
      }
    }
    guard_->stop();
    if (show) console_.err(redraw(""));
  }

  /// A tenth of a second, or less when the time-out comes sooner.
  std::chrono::milliseconds next_look(std::chrono::steady_clock::time_point start,
                                      bool timed_out) const {
    constexpr auto kLook = 100ms;
    if (!options_.timeout || timed_out) return kLook;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        start + *options_.timeout - std::chrono::steady_clock::now());
    return std::clamp<std::chrono::milliseconds>(left, 1ms, kLook);
  }

  void describe(const ProcessImage& image, const Selection& selection) {
    report_.dump = output_.path;
    report_.format = options_.format;
    report_.compressed = options_.compress;
    report_.process = image.process;
    report_.threads = image.threads.size();
    report_.regions = image.regions.size();
    report_.omissions = image.omissions;
    report_.omissions.insert(report_.omissions.end(), selection.omissions.begin(),
                             selection.omissions.end());
    report_.torn = torn_in_dump(image.torn, report_.omissions);
  }

  void add(const WriteReport& written) {
    report_.memory_bytes = written.memory_bytes;
    report_.dump_bytes = written.file_bytes;
    report_.write_ms = static_cast<std::uint64_t>(written.elapsed.count());
    if (written.cut_short) report_.cut_short = written.cut_reason;
    for (const ZeroFilled& each : written.zero_filled) {
      report_.omissions.push_back(
          {.what = "memory", .range = each.range, .why = each.why, .asked = false});
    }
  }

  ExitCode tell() {
    const Style style = console_.err_style();
    if (!options_.json && !options_.quiet) {
      console_.err(capture_text(report_, style));
    } else if (!options_.json) {
      console_.err(losses_text(report_, style));
    }
    const bool told = options_.json  ? console_.out(capture_json(report_))
                      : report_.dump ? console_.out(*report_.dump + "\n")
                                     : true;
    if (!told) {
      return console_.complain({.exit = ExitCode::failed,
                                .what = "cannot write to stdout",
                                .why = "",
                                .next = report_.dump ? "the dump is in " + *report_.dump : ""});
    }
    // Less than one instant, without having asked for less, is a loss.
    const bool weaker = report_.process.engine == "direct" && options_.engine != Engine::direct;
    return has_losses(report_) || weaker ? ExitCode::with_losses : ExitCode::done;
  }

  ExitCode refuse(const Message& message) const {
    // The object tells programs what the line tells people; that stdout is closed as well changes
    // nothing then.
    if (options_.json) (void)console_.out(error_json(message));
    return console_.complain(message);
  }

  std::optional<Message> interrupted() const {
    if (!signals_.token().stop_requested()) return std::nullopt;
    Error error;
    error.code = Errc::cancelled;
    return failure(error);
  }

  Message failure(const Error& error) const {
    Message message = capture_sentence(error, pid_, comm_, target_lives());
    if (error.code == Errc::cancelled) message.why = signal_name(signals_.signal());
    return message;
  }

  /// Whether the process is there, and not a zombie.
  bool target_lives() const {
    const Result<ProcDir> process = ProcDir::open(sys_, pid_);
    if (!process) return false;
    const Result<std::string> text = process->read_text("stat");
    if (!text) return false;
    const Result<ProcStat> stat = parse_stat(*text);
    return stat && stat->state != 'Z' && stat->state != 'X';
  }

  std::string path() const { return output_.path.value_or("-"); }

  const CaptureOptions& options_;
  const Console& console_;
  Sys& sys_;
  SignalWatch signals_;
  std::int32_t pid_ = 0;
  std::string comm_;
  std::uint64_t memory_ = 0;
  Output output_;
  std::optional<Error> left_behind_;  ///< set on the job's thread, read after it has ended
  std::optional<MemoryGuard> guard_;
  Snapshot snapshot_;
  CaptureReport report_;
};

}  // namespace

ExitCode capture_command(const CaptureOptions& options, const Console& console, Sys& sys) {
  return Capture(options, console, sys).run();
}

}  // namespace doppel
