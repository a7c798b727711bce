// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stop_token>
#include <utility>
#include <variant>

#include <cli/convert.h>
#include <cli/error_sentence.h>
#include <cli/output.h>
#include <cli/render/json.h>
#include <cli/render/progress_line.h>
#include <cli/render/quantity.h>
#include <cli/report.h>
#include <cli/signal_watch.h>
#include <dumpwriter/elf/json_writer.h>
#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/plan/whole_pages.h>
#include <dumpwriter/read/elf_core_reader.h>
#include <dumpwriter/read/open_dump.h>
#include <snapshot/support/error_text.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;

Message unreadable(const Error& error, const std::string& path) {
  Message message{.exit = ExitCode::failed,
                  .what = fmt::format("cannot read {}", path),
                  .why = error.os != 0 ? errno_text(error.os) : error_text(error),
                  .next = ""};
  if (error.code == Errc::denied) message.exit = ExitCode::not_permitted;
  if (error.code == Errc::unsupported)
    message.next = "if zstd itself compressed it: zstd -d it first";
  return message;
}

/// Facts of the image that the format has no place for, a text for each kind.
std::vector<std::string> lost_facts(const ProcessImage& image, const std::string& format) {
  std::vector<std::string> lost;
  if (format == "elf" && image.process.windows) {
    lost.emplace_back(
        "what only Windows has: TEB addresses, suspend counts, page protections, PDB names, rights "
        "of handles");
    if (image.fault && !image.fault->parameters.empty()) {
      lost.emplace_back("the parameters of the exception");
    }
  }
  return lost;
}

/// One conversion on its way; each step fills in what the next one needs.
class Conversion {
 public:
  Conversion(const ConvertOptions& options, const Console& console, Sys& sys)
      : options_(options), console_(console), sys_(sys) {}

  ExitCode run() {
    if (auto message = read()) return refuse(*message);
    if (auto message = plan()) return refuse(*message);
    if (auto message = write()) return refuse(*message);
    return tell();
  }

 private:
  std::optional<Message> read() {
    Result<Snapshot> opened = open_dump(options_.dump, sys_);
    if (!opened) return unreadable(opened.error(), options_.dump);
    snapshot_ = std::move(*opened);
    // What the reader says of the file that it read is not part of the process.
    std::erase_if(snapshot_.image.verbatim, [](const Verbatim& each) {
      return each.name == kManifestText || each.name == kWriteReportText;
    });
    return interrupted();
  }

  std::optional<Message> plan() {
    const ProcessImage& image = snapshot_.image;
    auto memory = std::make_unique<WholePages>(std::move(snapshot_.memory), image.regions);
    Result<Selection> selection = select(image, *memory, {.filter = {}, .held = true});
    if (!selection) return unreadable(selection.error(), options_.dump);
    for (const AddressRange& range : memory->filled()) {
      selection->omissions.push_back({.what = "memory",
                                      .range = range,
                                      .why = "part of a page that is not in the dump: zeros",
                                      .asked = true});
    }
    Result<DumpPlan> made = find_format(options_.format)->plan(image, *selection);
    if (!made) return unreadable(made.error(), options_.dump);
    plan_ = std::move(*made);
    lost_ = lost_facts(image, options_.format);
    damaged_ = std::ranges::any_of(image.omissions, [](const Omission& each) {
      return !each.asked && (each.why.starts_with("the dump was cut") || each.why == "damaged");
    });
    report_.process = image.process;
    report_.threads = image.threads.size();
    report_.regions = image.regions.size();
    report_.omissions = image.omissions;
    report_.omissions.insert(report_.omissions.end(), selection->omissions.begin(),
                             selection->omissions.end());
    snapshot_.memory = std::move(memory);
    return std::nullopt;
  }

  std::optional<Message> write() {
    auto opened = open_output(sys_, {.given = options_.output,
                                     .comm = report_.process.comm,
                                     .pid = report_.process.pid,
                                     .seconds = report_.process.captured_at_ns / 1'000'000'000,
                                     .compressed = options_.compress,
                                     .kind = options_.format == "minidump" ? "dmp" : "core",
                                     .stdout_is_terminal = console_.out_is_terminal()});
    if (auto* message = std::get_if<Message>(&opened)) return std::move(*message);
    Output output = std::move(std::get<Output>(opened));
    report_.dump = output.path;
    const std::string path = output.path.value_or("-");

    WriteOptions write_options;
    write_options.compress = options_.compress;
    if (options_.level) write_options.level = *options_.level;
    if (options_.threads) write_options.threads = *options_.threads;
    write_options.release = false;  // nothing lives that would want its pages back
    write_options.sys = &sys_;
    WriteJob job = WriteJob::start(std::move(snapshot_), std::move(plan_), std::move(output.sink),
                                   std::move(write_options));
    watch(job);
    const Result<WriteReport> written = std::move(job).wait();
    if (!written) {
      if (auto message = interrupted()) return message;
      return output_sentence(written.error(), path);
    }
    report_.memory_bytes = written->memory_bytes;
    report_.dump_bytes = written->file_bytes;
    report_.write_ms = static_cast<std::uint64_t>(written->elapsed.count());
    for (const ZeroFilled& each : written->zero_filled) {
      damaged_ = true;
      report_.omissions.push_back(
          {.what = "memory", .range = each.range, .why = each.why, .asked = false});
    }
    return std::nullopt;
  }

  void watch(WriteJob& job) {
    const std::stop_callback cancel(signals_.token(), [&job] { job.cancel(); });
    const bool show = console_.err_is_terminal() && !options_.quiet;
    ProgressLine line(std::chrono::steady_clock::now(), job.progress().planned);
    while (!job.wait_for(100ms)) {
      if (!show) continue;
      console_.err(redraw(line.update(std::chrono::steady_clock::now(), job.progress().done,
                                      console_.err_columns())));
    }
    if (show) console_.err(redraw(""));
  }

  std::optional<Message> interrupted() const {
    if (!signals_.token().stop_requested()) return std::nullopt;
    return Message{.exit = ExitCode::failed,
                   .what = "convert: stopped",
                   .why = signal_name(signals_.signal()),
                   .next = "no file was written"};
  }

  std::string text() const {
    std::string text = fmt::format("converted {} to {}: {} threads, {} mappings, {} of memory\n",
                                   options_.dump, options_.format, report_.threads, report_.regions,
                                   size_text(report_.memory_bytes));
    text += fmt::format("  dump      {} written in {} ms\n", size_text(report_.dump_bytes),
                        report_.write_ms);
    return text;
  }

  /// What a reader of the new dump will miss.
  std::string losses() const {
    std::string text;
    for (const std::string& each : lost_) text += fmt::format("  lost      {}\n", each);
    constexpr std::size_t kMost = 8;
    std::size_t shown = 0;
    for (const OmissionGroup& group : group_omissions(report_.omissions)) {
      if (group.asked) continue;
      if (++shown > kMost) continue;
      text += fmt::format("  missing   {}{}: {}\n", group.what,
                          group.size > 0 ? " " + size_text(group.size) : "", group.why);
    }
    if (shown > kMost) text += fmt::format("  missing   and {} more kinds\n", shown - kMost);
    return text;
  }

  std::string json() const {
    JsonWriter json;
    json.begin_object();
    json.number("schema", 1);
    json.text("dump", report_.dump.value_or("-"));
    json.text("source", options_.dump);
    json.signed_number("pid", report_.process.pid);
    json.text("comm", report_.process.comm);
    json.text("format", options_.format);
    json.boolean("compressed", options_.compress);
    json.number("threads", report_.threads);
    json.number("regions", report_.regions);
    json.number("memory_bytes", report_.memory_bytes);
    json.number("dump_bytes", report_.dump_bytes);
    json.number("write_ms", report_.write_ms);
    json.begin_array("lost");
    for (const std::string& each : lost_) json.text(each);
    json.end_array();
    put_omissions(json, report_.omissions);
    json.end_object();
    return std::move(json).take() + "\n";
  }

  ExitCode tell() const {
    if (!options_.json) console_.err((options_.quiet ? "" : text()) + losses());
    const bool told = options_.json  ? console_.out(json())
                      : report_.dump ? console_.out(*report_.dump + "\n")
                                     : true;
    if (!told) {
      return console_.complain({.exit = ExitCode::failed,
                                .what = "cannot write to stdout",
                                .why = "",
                                .next = report_.dump ? "the dump is in " + *report_.dump : ""});
    }
    return damaged_ ? ExitCode::with_losses : ExitCode::done;
  }

  ExitCode refuse(const Message& message) const {
    if (options_.json) (void)console_.out(error_json(message));
    return console_.complain(message);
  }

  const ConvertOptions& options_;
  const Console& console_;
  Sys& sys_;
  SignalWatch signals_;
  Snapshot snapshot_;
  DumpPlan plan_;
  CaptureReport report_;
  std::vector<std::string> lost_;
  bool damaged_ = false;
};

}  // namespace

ExitCode convert_command(const ConvertOptions& options, const Console& console, Sys& sys) {
  return Conversion(options, console, sys).run();
}

}  // namespace doppel
