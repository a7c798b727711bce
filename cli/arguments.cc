// SPDX-License-Identifier: Apache-2.0
//
// One parser and one judge for each verb. Option values are taken from the parser as text and
// judged by option_values.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <cli/arguments.h>
#include <cli/help_text.h>
#include <cli/option_values.h>
#include <cli/suggestion.h>
#include <snapshot/support/version.h>

namespace doppel {
namespace {

constexpr std::array<std::string_view, 5> kVerbs = {"capture", "convert", "doctor", "executive",
                                                    "run"};

// The kernel's filter has nine bits (include/linux/sched/coredump.h, MMF_DUMP_FILTER_BITS).
constexpr std::uint64_t kFilterMax = 0x1ff;

/// Every option of a verb as the parser fills it.
struct Raw {
  std::vector<std::string> targets;
  std::string output, format, level, threads, filter, shared, max_pause, timeout, engine, embed;
  std::string seed, profile, max_steps, dump, fault;
  bool inherit_handles = false, restart = false, trace = false;
  std::string color, restart_when, max_restarts, dump_dir, keep, json_events;
  bool no_follow = false;
  bool no_compress = false, force_undumpable = false, json = false, quiet = false, help = false;
  bool version = false;
};

using Parser = std::unique_ptr<CLI::App>;

Parser bare_parser() {
  auto app = std::make_unique<CLI::App>();
  app->set_help_flag();
  app->allow_extras();
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return app;
}

Parser main_parser(Raw& raw) {
  Parser app = bare_parser();
  app->prefix_command();
  app->add_flag("-h,--help", raw.help);
  app->add_flag("--version", raw.version);
  app->add_option("--color", raw.color);
  return app;
}

Parser doctor_parser(Raw& raw) {
  Parser app = bare_parser();
  app->add_option("targets", raw.targets)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  app->add_flag("--json", raw.json);
  app->add_option("--color", raw.color);
  app->add_flag("-h,--help", raw.help);
  return app;
}

Parser convert_parser(Raw& raw) {
  Parser app = doctor_parser(raw);
  app->add_option("-o,--output", raw.output);
  app->add_option("--format", raw.format);
  app->add_option("--level", raw.level);
  app->add_option("--threads", raw.threads);
  app->add_flag("--no-compress", raw.no_compress);
  app->add_flag("-q,--quiet", raw.quiet);
  return app;
}

/// What convert takes, and more.
Parser capture_parser(Raw& raw) {
  Parser app = convert_parser(raw);
  app->add_option("--filter", raw.filter);
  app->add_option("--shared", raw.shared);
  app->add_option("--max-pause", raw.max_pause);
  app->add_option("--timeout", raw.timeout);
  app->add_option("--engine", raw.engine);
  app->add_option("--embed", raw.embed);
  app->add_flag("--force-undumpable", raw.force_undumpable);
  return app;
}

Parser executive_parser(Raw& raw) {
  Parser app = doctor_parser(raw);
  app->add_option("--seed", raw.seed);
  app->add_option("--profile", raw.profile);
  app->add_option("--max-steps", raw.max_steps);
  app->add_option("--dump", raw.dump);
  app->add_option("--fault", raw.fault);
  app->add_flag("--inherit-handles", raw.inherit_handles);
  app->add_flag("--restart", raw.restart);
  app->add_flag("--trace", raw.trace);
  return app;
}

Parser run_parser(Raw& raw) {
  Parser app = bare_parser();
  // The first word that is no option is the command, and all behind it is the command's.
  app->prefix_command();
  app->add_option("--restart", raw.restart_when);
  app->add_option("--max-restarts", raw.max_restarts);
  app->add_option("--dump-dir", raw.dump_dir);
  app->add_option("--keep", raw.keep);
  app->add_flag("--no-follow", raw.no_follow);
  app->add_option("--json-events", raw.json_events);
  app->add_option("--format", raw.format);
  app->add_option("--level", raw.level);
  app->add_option("--threads", raw.threads);
  app->add_flag("--no-compress", raw.no_compress);
  app->add_option("--filter", raw.filter);
  app->add_flag("-q,--quiet", raw.quiet);
  app->add_option("--color", raw.color);
  app->add_flag("-h,--help", raw.help);
  return app;
}

Parser parser_of(std::string_view verb, Raw& raw) {
  if (verb == "capture") return capture_parser(raw);
  if (verb == "executive") return executive_parser(raw);
  if (verb == "run") return run_parser(raw);
  return verb == "convert" ? convert_parser(raw) : doctor_parser(raw);
}

std::vector<std::string> long_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

ColorChoice color_of(const std::string& text) {
  if (text.empty()) return ColorChoice::automatic;
  return choice<ColorChoice>("--color", text,
                             {{"auto", ColorChoice::automatic},
                              {"always", ColorChoice::always},
                              {"never", ColorChoice::never}});
}

/// Refuses what the parser could not place: misspelt options, and a value that is an option itself.
void refuse_extras(const CLI::App& app, std::span<const std::string> extras) {
  // The parser leaves the mark that ends the options among them.
  const auto word = std::ranges::find_if(extras, [](const auto& extra) { return extra != "--"; });
  if (word == extras.end()) return;
  const std::string name = word->substr(0, word->find('='));
  const std::vector<std::string> known = long_options(app);
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string near(nearest(name, views));
  throw UsageError{fmt::format("unknown option {}", name), near};
}

/// Options given without text would otherwise be taken for options not given.
bool given(const CLI::App& app, const char* option) {
  return app.count(option) != 0;
}

std::string format_of(const Raw& raw) {
  return choice<std::string>("--format", raw.format, {{"elf", "elf"}, {"minidump", "minidump"}});
}

/// A minidump is left as its readers want it, unless the name or a level asks for more.
bool compressed(const CLI::App& app, const Raw& raw, const std::string& format) {
  if (raw.no_compress) return false;
  return format != "minidump" || given(app, "--level") || raw.output.ends_with(".zst");
}

std::optional<int> level_of(const CLI::App& app, const Raw& raw) {
  if (!given(app, "--level")) return std::nullopt;
  const auto level = static_cast<int>(number("--level", raw.level, 1, 22));
  if (raw.no_compress) throw UsageError{"--level and --no-compress exclude each other"};
  return level;
}

std::optional<unsigned> threads_of(const CLI::App& app, const Raw& raw) {
  if (!given(app, "--threads")) return std::nullopt;
  return static_cast<unsigned>(number("--threads", raw.threads, 1, 256));
}

/// The one process named, or none.
std::optional<std::string> target_of(const Raw& raw) {
  if (raw.targets.empty()) return std::nullopt;
  if (raw.targets.size() > 1) {
    throw UsageError{fmt::format("takes one process at a time, got {}: {}", raw.targets.size(),
                                 fmt::join(raw.targets, " "))};
  }
  const std::string& target = raw.targets.front();
  if (target.empty()) throw UsageError{"the name of the process is empty"};
  return target;
}

CaptureOptions capture_options(const CLI::App& app, const Raw& raw) {
  CaptureOptions options;
  options.color = color_of(raw.color);
  std::optional<std::string> target = target_of(raw);
  if (!target) throw UsageError{"which process? Give a PID or a name"};
  options.target = std::move(*target);

  if (given(app, "--format")) {
    options.format = format_of(raw);
  }
  if (given(app, "--embed")) {
    if (raw.embed == "symbols" || raw.embed == "files")
      throw UsageError{
          fmt::format("--embed {} comes in a later version; this one knows none", raw.embed)};
    choice<bool>("--embed", raw.embed, {{"none", true}});
  }
  if (given(app, "--output")) {
    if (raw.output.empty()) throw UsageError{"-o wants a file name, a directory or -"};
    options.output = raw.output;
  }
  options.compress = compressed(app, raw, options.format);
  options.level = level_of(app, raw);
  options.threads = threads_of(app, raw);
  if (given(app, "--filter")) options.filter = number("--filter", raw.filter, 0, kFilterMax, true);
  if (given(app, "--shared")) {
    options.shared = choice<SharedMemory>(
        "--shared", raw.shared,
        {{"live", SharedMemory::live}, {"copy", SharedMemory::copy}, {"omit", SharedMemory::omit}});
  }
  if (given(app, "--max-pause")) {
    options.max_pause =
        duration<std::chrono::microseconds>("--max-pause", raw.max_pause, "milliseconds", 1e-3);
  }
  if (given(app, "--timeout"))
    options.timeout = duration<std::chrono::milliseconds>("--timeout", raw.timeout, "seconds", 1);
  if (given(app, "--engine")) {
    options.engine = choice<Engine>(
        "--engine", raw.engine,
        {{"auto", Engine::automatic}, {"clone", Engine::clone}, {"direct", Engine::direct}});
  }
  options.force_undumpable = raw.force_undumpable;
  options.json = raw.json;
  options.quiet = raw.quiet;
  if (options.json && options.output == "-")
    throw UsageError{"--json and -o - both write to stdout; choose one"};
  return options;
}

/// "a.dmp", "a.dmp.zst", "a.mdmp".
bool names_minidump(std::string_view path) {
  constexpr std::string_view kCompressed = ".zst";
  if (path.ends_with(kCompressed)) path.remove_suffix(kCompressed.size());
  return path.ends_with(".dmp") || path.ends_with(".mdmp");
}

ConvertOptions convert_options(const CLI::App& app, Raw raw) {
  ConvertOptions options;
  options.color = color_of(raw.color);
  if (raw.targets.empty() || raw.targets.front().empty())
    throw UsageError{"which dump? Give the file to read"};
  if (raw.targets.size() == 2 && !given(app, "--output")) {
    raw.output = raw.targets.back();
  } else if (raw.targets.size() > 1) {
    throw UsageError{fmt::format("takes one dump at a time, got {}: {}", raw.targets.size(),
                                 fmt::join(raw.targets, " "))};
  }
  if (raw.output.empty()) throw UsageError{"where to? Give -o FILE"};
  options.dump = raw.targets.front();
  options.output = raw.output;
  options.format = names_minidump(raw.output) ? "minidump" : "elf";
  if (given(app, "--format")) options.format = format_of(raw);
  options.compress = compressed(app, raw, options.format);
  options.level = level_of(app, raw);
  options.threads = threads_of(app, raw);
  options.json = raw.json;
  options.quiet = raw.quiet;
  if (options.json && options.output == "-")
    throw UsageError{"--json and -o - both write to stdout; choose one"};
  return options;
}

ServiceOptions service_options(const CLI::App& app, const Raw& raw,
                               std::vector<std::string> command) {
  ServiceOptions options;
  options.color = color_of(raw.color);
  if (command.empty()) throw UsageError{"which command? Give it behind --"};
  if (command.front().empty()) throw UsageError{"the name of the command is empty"};
  options.command = std::move(command);
  if (given(app, "--restart")) {
    options.restart = choice<RestartMode>("--restart", raw.restart_when,
                                          {{"never", RestartMode::never},
                                           {"on-crash", RestartMode::on_crash},
                                           {"always", RestartMode::always}});
  }
  if (given(app, "--max-restarts")) options.limit = restart_limit(raw.max_restarts);
  if (given(app, "--dump-dir")) {
    if (raw.dump_dir.empty()) throw UsageError{"--dump-dir wants a directory"};
    options.dump_directory = raw.dump_dir;
  }
  if (given(app, "--keep")) options.keep = number("--keep", raw.keep, 1, 1'000'000);
  options.follow = !raw.no_follow;
  if (given(app, "--json-events")) {
    if (raw.json_events.empty()) throw UsageError{"--json-events wants a file name"};
    options.json_events = raw.json_events;
  }
  if (given(app, "--format")) options.format = format_of(raw);
  options.compress = compressed(app, raw, options.format);
  options.level = level_of(app, raw);
  options.threads = threads_of(app, raw);
  if (given(app, "--filter")) options.filter = number("--filter", raw.filter, 0, kFilterMax, true);
  options.quiet = raw.quiet;
  return options;
}

DoctorOptions doctor_options(const Raw& raw) {
  DoctorOptions options;
  options.color = color_of(raw.color);
  options.json = raw.json;
  options.target = target_of(raw);
  return options;
}

ExecutiveRunOptions executive_options(const CLI::App& app, Raw& raw) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  ExecutiveRunOptions options;
  options.color = color_of(raw.color);
  if (raw.targets.empty()) throw UsageError{"which command? doppel executive run GUEST.exe"};
  if (raw.targets.front() != "run")
    throw UsageError{fmt::format("no command '{}'", raw.targets.front()), "doppel executive run"};
  if (raw.targets.size() < 2 || raw.targets[1].empty())
    throw UsageError{"run: which program? Give a PE32+ file"};
  options.guest = raw.targets[1];
  options.arguments.assign(raw.targets.begin() + 2, raw.targets.end());
  if (given(app, "--seed")) options.seed = number("--seed", raw.seed, 0, kMost);
  if (given(app, "--profile")) {
    options.profile = choice<NtProfile>(
        "--profile", raw.profile,
        {{"nt52", NtProfile::nt52}, {"nt60", NtProfile::nt60}, {"nt63", NtProfile::nt63}});
  }
  if (given(app, "--max-steps")) options.max_steps = number("--max-steps", raw.max_steps, 1, kMost);
  if (given(app, "--dump")) {
    if (raw.dump.empty() || raw.dump == "-") throw UsageError{"--dump wants a file name"};
    options.dump = raw.dump;
  }
  if (given(app, "--fault")) options.fault = fault_of(raw.fault);
  if (raw.inherit_handles && !raw.restart && !options.dump)
    throw UsageError{"--inherit-handles is about the clone of a crash: give --dump or --restart"};
  options.inherit_handles = raw.inherit_handles;
  options.restart = raw.restart;
  options.trace = raw.trace;
  options.json = raw.json;
  return options;
}

std::string version_text() {
  if (kRevision.empty()) return fmt::format("doppel {}\n", kVersion);
  return fmt::format("doppel {} ({})\n", kVersion, kRevision);
}

Message usage(std::string_view verb, const std::string& what, std::string_view near = {}) {
  const std::string_view space = verb.empty() ? "" : " ";
  return Message{.exit = ExitCode::usage,
                 .what = verb.empty() ? what : fmt::format("{}: {}", verb, what),
                 .why = "",
                 .next = near.empty() ? fmt::format("see doppel {}{}--help", verb, space)
                                      : fmt::format("did you mean {}?", near)};
}

/// The parser's own complaint, which can only be an option that lacks its value: everything else is
/// taken as text or left over.
std::string lacks_value(const CLI::ParseError& error) {
  const std::string text = error.what();
  const std::size_t colon = text.find(':');
  if (text.find("required") == std::string::npos || colon == std::string::npos) return text;
  return fmt::format("{} wants a value", text.substr(0, colon));
}

void parse(CLI::App& app, std::span<const std::string> arguments) {
  // CLI11 wants them in reverse.
  app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
}

Command parse_verb(std::string_view verb, std::span<const std::string> arguments,
                   const std::string& color) {
  try {
    Raw raw;
    raw.color = color;
    Parser app = parser_of(verb, raw);
    std::vector<std::string> command;
    if (verb == "run") {
      const auto mark = std::ranges::find(arguments, "--");
      if (mark != arguments.end()) command.assign(mark + 1, arguments.end());
      arguments = arguments.first(static_cast<std::size_t>(mark - arguments.begin()));
    }
    parse(*app, arguments);
    if (verb == "run" && !raw.help) {
      const std::vector<std::string> words = app->remaining();
      if (!words.empty() && words.front().starts_with('-')) refuse_extras(*app, words);
      // Without the mark; with it, it was one of the command's own words.
      command.insert(command.begin(), words.begin(), words.end());
      return service_options(*app, raw, std::move(command));
    }
    if (raw.help) return Say{std::string(help_text(verb))};
    refuse_extras(*app, app->remaining());
    if (verb == "capture") return capture_options(*app, raw);
    if (verb == "convert") return convert_options(*app, raw);
    if (verb == "executive") return executive_options(*app, raw);
    return doctor_options(raw);
  } catch (const CLI::ParseError& error) {
    return usage(verb, lacks_value(error));
  } catch (const UsageError& error) {
    return usage(verb, error.what, error.near);
  }
}

Message no_such_verb(const std::string& word) {
  const bool digits =
      !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
  const std::string near = digits ? "doppel capture " + word : std::string(nearest(word, kVerbs));
  return usage("", fmt::format("no command '{}'", word), near);
}

}  // namespace

std::span<const std::string_view> verbs() {
  return kVerbs;
}

std::vector<std::string> option_names(std::string_view verb) {
  Raw raw;
  if (verb.empty()) return long_options(*main_parser(raw));
  return long_options(*parser_of(verb, raw));
}

Command parse_arguments(std::span<const std::string> arguments) {
  Raw raw;
  std::vector<std::string> rest;
  try {
    Parser app = main_parser(raw);
    parse(*app, arguments);
    rest = app->remaining();
    if (raw.version) return Say{version_text()};
    color_of(raw.color);
    const bool verb_follows = !rest.empty() && !rest.front().starts_with('-');
    if (!verb_follows && !raw.help) refuse_extras(*app, rest);
    if (raw.help && !verb_follows) return Say{std::string(help_text(""))};
  } catch (const CLI::ParseError& error) {
    return usage("", lacks_value(error));
  } catch (const UsageError& error) {
    return usage("", error.what, error.near);
  }
  if (rest.empty()) return usage("", "which command? doppel capture PID takes a dump");

  std::string verb = rest.front();
  rest.erase(rest.begin());
  if (verb == "help") {
    if (rest.empty()) return Say{std::string(help_text(""))};
    verb = rest.front();
    if (std::ranges::find(kVerbs, verb) == kVerbs.end()) return no_such_verb(verb);
    return Say{std::string(help_text(verb))};
  }
  if (std::ranges::find(kVerbs, verb) == kVerbs.end()) return no_such_verb(verb);
  if (raw.help) return Say{std::string(help_text(verb))};
  return parse_verb(verb, rest, raw.color);
}

}  // namespace doppel
