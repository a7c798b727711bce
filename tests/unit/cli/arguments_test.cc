// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <cli/arguments.h>
#include <cli/help_text.h>
#include <snapshot/support/version.h>

namespace doppel {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

Command parse(std::vector<std::string> arguments) {
  return parse_arguments(arguments);
}

CaptureOptions capture(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "capture");
  const Command command = parse_arguments(arguments);
  if (const auto* message = std::get_if<Message>(&command)) ADD_FAILURE() << to_line(*message);
  const auto* options = std::get_if<CaptureOptions>(&command);
  return options ? *options : CaptureOptions{};
}

std::string refusal(std::vector<std::string> arguments) {
  const Command command = parse_arguments(arguments);
  const auto* message = std::get_if<Message>(&command);
  if (message == nullptr) return "accepted";
  EXPECT_EQ(message->exit, ExitCode::usage);
  return to_line(*message);
}

std::string said(std::vector<std::string> arguments) {
  const Command command = parse_arguments(arguments);
  const auto* say = std::get_if<Say>(&command);
  return say ? say->text : "did not say";
}

TEST(arguments, capture_has_defaults) {
  const CaptureOptions options = capture({"4711"});
  EXPECT_EQ(options.target, "4711");
  EXPECT_EQ(options.output, std::nullopt);
  EXPECT_EQ(options.format, "elf");
  EXPECT_EQ(options.level, std::nullopt);
  EXPECT_EQ(options.threads, std::nullopt);
  EXPECT_TRUE(options.compress);
  EXPECT_EQ(options.filter, std::nullopt);
  EXPECT_EQ(options.shared, SharedMemory::live);
  EXPECT_EQ(options.max_pause, std::nullopt);
  EXPECT_EQ(options.timeout, std::nullopt);
  EXPECT_EQ(options.engine, Engine::automatic);
  EXPECT_FALSE(options.force_undumpable);
  EXPECT_FALSE(options.json);
  EXPECT_FALSE(options.quiet);
  EXPECT_EQ(options.color, ColorChoice::automatic);
}

TEST(arguments, capture_takes_every_option) {
  const CaptureOptions options = capture({"-o",        "x.core",
                                          "--format",  "elf",
                                          "--level",   "19",
                                          "--threads", "4",
                                          "redis",     "--filter",
                                          "0x33",      "--shared",
                                          "copy",      "--max-pause",
                                          "2.5",       "--timeout",
                                          "90",        "--engine",
                                          "direct",    "--embed",
                                          "none",      "--force-undumpable",
                                          "--json",    "--quiet",
                                          "--color",   "never"});
  EXPECT_EQ(options.target, "redis");
  EXPECT_EQ(options.output, "x.core");
  EXPECT_EQ(options.level, 19);
  EXPECT_EQ(options.threads, 4u);
  EXPECT_EQ(options.filter, 0x33u);
  EXPECT_EQ(options.shared, SharedMemory::copy);
  EXPECT_EQ(options.max_pause, 2500us);
  EXPECT_EQ(options.timeout, 90s);
  EXPECT_EQ(options.engine, Engine::direct);
  EXPECT_TRUE(options.force_undumpable);
  EXPECT_TRUE(options.json);
  EXPECT_TRUE(options.quiet);
  EXPECT_EQ(options.color, ColorChoice::never);
}

TEST(arguments, equals_sign_and_short_forms) {
  EXPECT_EQ(capture({"--level=3", "1"}).level, 3);
  EXPECT_EQ(capture({"-qo", "out", "1"}).output, "out");
  EXPECT_TRUE(capture({"-qo", "out", "1"}).quiet);
  EXPECT_EQ(capture({"1", "-o", "-"}).output, "-");
  EXPECT_FALSE(capture({"1", "--no-compress"}).compress);
  EXPECT_EQ(capture({"--filter", "51", "1"}).filter, 51u);
  EXPECT_EQ(capture({"--", "name"}).target, "name");
}

TEST(arguments, the_last_of_a_repeated_option_counts) {
  EXPECT_EQ(capture({"--level", "3", "--level", "5", "1"}).level, 5);
}

TEST(arguments, color_stands_before_or_after_the_command) {
  EXPECT_EQ(capture({"1", "--color", "always"}).color, ColorChoice::always);
  const Command command = parse({"--color", "never", "capture", "1"});
  ASSERT_TRUE(std::holds_alternative<CaptureOptions>(command));
  EXPECT_EQ(std::get<CaptureOptions>(command).color, ColorChoice::never);
}

TEST(arguments, doctor_with_and_without_process) {
  Command command = parse({"doctor"});
  ASSERT_TRUE(std::holds_alternative<DoctorOptions>(command));
  EXPECT_EQ(std::get<DoctorOptions>(command).target, std::nullopt);
  command = parse({"doctor", "4711", "--json"});
  ASSERT_TRUE(std::holds_alternative<DoctorOptions>(command));
  EXPECT_EQ(std::get<DoctorOptions>(command).target, "4711");
  EXPECT_TRUE(std::get<DoctorOptions>(command).json);
}

TEST(arguments, refusals_name_the_option_and_the_next_step) {
  EXPECT_EQ(refusal({}), "which command? doppel capture PID takes a dump; see doppel --help");
  EXPECT_EQ(refusal({"captrue", "1"}), "no command 'captrue'; did you mean capture?");
  EXPECT_EQ(refusal({"4711"}), "no command '4711'; did you mean doppel capture 4711?");
  EXPECT_EQ(refusal({"zebra"}), "no command 'zebra'; see doppel --help");
  EXPECT_EQ(refusal({"help", "zebra"}), "no command 'zebra'; see doppel --help");
  EXPECT_EQ(refusal({"--colour", "never"}), "unknown option --colour; did you mean --color?");
  EXPECT_EQ(refusal({"capture"}),
            "capture: which process? Give a PID or a name; see doppel capture --help");
  EXPECT_EQ(refusal({"capture", ""}),
            "capture: the name of the process is empty; see doppel capture --help");
  EXPECT_EQ(refusal({"capture", "1", "2", "3"}),
            "capture: takes one process at a time, got 3: 1 2 3; see doppel capture --help");
  EXPECT_EQ(refusal({"doctor", "1", "2"}),
            "doctor: takes one process at a time, got 2: 1 2; see doppel doctor --help");
  EXPECT_EQ(refusal({"capture", "1", "--levle", "3"}),
            "capture: unknown option --levle; did you mean --level?");
  EXPECT_EQ(refusal({"capture", "1", "--levle=3"}),
            "capture: unknown option --levle; did you mean --level?");
  EXPECT_EQ(refusal({"capture", "1", "-x"}),
            "capture: unknown option -x; see doppel capture --help");
  EXPECT_EQ(refusal({"capture", "1", "--level"}),
            "capture: --level wants a value; see doppel capture --help");
  EXPECT_EQ(
      refusal({"capture", "1", "--level", "--json"}),
      "capture: --level wants a number from 1 to 22, not '--json'; see doppel capture --help");
  EXPECT_EQ(refusal({"capture", "1", "-o", ""}),
            "capture: -o wants a file name, a directory or -; see doppel capture --help");
  EXPECT_EQ(
      refusal({"capture", "1", "--engine", "clonne"}),
      "capture: --engine wants one of auto, clone, direct, not 'clonne'; did you mean clone?");
}

TEST(arguments, numbers_are_held_to_their_range) {
  for (const char* bad : {"0", "23", "-1x", "3x", "x", "", "99999999999999999999", " 3", "3 "}) {
    EXPECT_THAT(refusal({"capture", "1", std::string("--level=") + bad}), HasSubstr("--level"))
        << bad;
  }
  EXPECT_THAT(refusal({"capture", "1", "--threads", "0"}), HasSubstr("from 1 to 256, not '0'"));
  EXPECT_THAT(refusal({"capture", "1", "--threads", "257"}), HasSubstr("not '257'"));
  EXPECT_THAT(refusal({"capture", "1", "--filter", "0x200"}), HasSubstr("0x0 to 0x1ff"));
  EXPECT_THAT(refusal({"capture", "1", "--filter", "0x"}), HasSubstr("not '0x'"));
  for (const char* bad : {"0", "inf", "nan", "1e300", "1ms", "0.0000001", "x"}) {
    EXPECT_THAT(refusal({"capture", "1", "--max-pause", bad}),
                HasSubstr("--max-pause wants a number of milliseconds above 0"))
        << bad;
    EXPECT_THAT(refusal({"capture", "1", "--timeout", bad}),
                HasSubstr("--timeout wants a number of seconds above 0"))
        << bad;
  }
}

// No reader of minidumps reads zstd, so it takes a wish to have one compressed.
TEST(arguments, minidump_is_plain_unless_asked) {
  const auto compressed = [](std::vector<std::string> more) {
    std::vector<std::string> words = {"capture", "1", "--format", "minidump"};
    words.insert(words.end(), more.begin(), more.end());
    const auto options = std::get<CaptureOptions>(parse_arguments(words));
    EXPECT_EQ(options.format, "minidump");
    return options.compress;
  };
  EXPECT_FALSE(compressed({}));
  EXPECT_FALSE(compressed({"-o", "a.dmp"}));
  EXPECT_FALSE(compressed({"-o", "a.dmp.zst", "--no-compress"}));
  EXPECT_TRUE(compressed({"-o", "a.dmp.zst"}));
  EXPECT_TRUE(compressed({"--level", "3"}));
}

TEST(arguments, convert) {
  const auto options = [](std::vector<std::string> words) {
    words.insert(words.begin(), "convert");
    return std::get<ConvertOptions>(parse_arguments(words));
  };
  EXPECT_EQ(options({"a.core", "-o", "b.dmp"}).format, "minidump");
  EXPECT_FALSE(options({"a.core", "-o", "b.dmp"}).compress);
  EXPECT_EQ(options({"a.core", "b.dmp.zst"}).output, "b.dmp.zst");
  EXPECT_TRUE(options({"a.core", "b.dmp.zst"}).compress);
  EXPECT_EQ(options({"a.core", "b.dmp.zst"}).format, "minidump");
  EXPECT_EQ(options({"a.dmp", "-o", "b.core"}).format, "elf");
  EXPECT_TRUE(options({"a.dmp", "-o", "b.core"}).compress);
  EXPECT_FALSE(options({"a.dmp", "-o", "b.core", "--no-compress"}).compress);
  EXPECT_EQ(options({"a.core", "-o", "b", "--format", "minidump"}).format, "minidump");
  EXPECT_EQ(options({"a.core", "-o", "b", "--level", "7"}).level, 7);
  EXPECT_THAT(refusal({"convert"}), StartsWith("convert: which dump?"));
  EXPECT_THAT(refusal({"convert", "a"}), StartsWith("convert: where to?"));
  EXPECT_THAT(refusal({"convert", "a", "b", "c"}), HasSubstr("one dump at a time, got 3"));
  EXPECT_THAT(refusal({"convert", "a", "b", "-o", "c"}), HasSubstr("one dump at a time, got 2"));
  EXPECT_THAT(refusal({"convert", "a", "-o", "b", "--format", "pdf"}),
              HasSubstr("--format wants one of elf, minidump"));
  EXPECT_THAT(refusal({"convert", "a", "-o", "-", "--json"}), HasSubstr("choose one"));
}

TEST(arguments, what_comes_later_is_refused_by_name) {
  EXPECT_THAT(refusal({"capture", "1", "--embed", "symbols"}),
              StartsWith("capture: --embed symbols comes in a later version"));
  EXPECT_THAT(refusal({"capture", "1", "--embed", "files"}),
              StartsWith("capture: --embed files comes in a later version"));
}

TEST(arguments, options_that_contradict_each_other) {
  EXPECT_THAT(refusal({"capture", "1", "--json", "-o", "-"}), HasSubstr("both write to stdout"));
  EXPECT_THAT(refusal({"capture", "1", "--no-compress", "--level", "3"}),
              HasSubstr("exclude each other"));
}

ExecutiveRunOptions executive(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"executive", "run"});
  const Command command = parse_arguments(arguments);
  if (const auto* message = std::get_if<Message>(&command)) ADD_FAILURE() << to_line(*message);
  const auto* options = std::get_if<ExecutiveRunOptions>(&command);
  return options ? *options : ExecutiveRunOptions{};
}

TEST(arguments, executive_run_has_defaults) {
  const ExecutiveRunOptions options = executive({"holder.exe"});
  EXPECT_EQ(options.guest, "holder.exe");
  EXPECT_TRUE(options.arguments.empty());
  EXPECT_EQ(options.seed, 1u);
  EXPECT_EQ(options.profile, NtProfile::nt63);
  EXPECT_EQ(options.dump, std::nullopt);
  EXPECT_EQ(options.fault, std::nullopt);
  EXPECT_FALSE(options.inherit_handles || options.restart || options.trace || options.json);
}

TEST(arguments, executive_run_takes_options_before_and_after_the_guest) {
  const ExecutiveRunOptions options =
      executive({"--seed", "7", "argv.exe", "one", "--profile=nt52", "--dump", "a.dmp", "--restart",
                 "--inherit-handles", "--trace", "--json", "--max-steps", "10", "--fault",
                 "commit.charge:3", "--", "--two"});
  EXPECT_EQ(options.guest, "argv.exe");
  EXPECT_EQ(options.arguments, (std::vector<std::string>{"one", "--two"}));
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.profile, NtProfile::nt52);
  EXPECT_EQ(options.dump, "a.dmp");
  EXPECT_EQ(options.max_steps, 10u);
  EXPECT_EQ(options.fault, std::pair(FaultSite::commit_charge, std::uint64_t{3}));
  EXPECT_TRUE(options.inherit_handles && options.restart && options.trace && options.json);
}

TEST(arguments, executive_run_refuses_what_it_does_not_know) {
  EXPECT_THAT(refusal({"executive"}), HasSubstr("which command? doppel executive run GUEST.exe"));
  EXPECT_THAT(refusal({"executive", "start"}), HasSubstr("did you mean doppel executive run?"));
  EXPECT_THAT(refusal({"executive", "run"}), HasSubstr("which program?"));
  EXPECT_THAT(refusal({"executive", "run", "a.exe", "--profile", "nt6"}),
              HasSubstr("one of nt52, nt60, nt63"));
  EXPECT_THAT(refusal({"executive", "run", "a.exe", "--fault", "commit"}), HasSubstr("SITE:N"));
  EXPECT_THAT(refusal({"executive", "run", "a.exe", "--fault", "comit.charge:1"}),
              HasSubstr("did you mean commit.charge?"));
  EXPECT_THAT(refusal({"executive", "run", "a.exe", "--fault", "commit.charge:0"}),
              HasSubstr("number from 1"));
  EXPECT_THAT(refusal({"executive", "run", "a.exe", "--dump", "-"}), HasSubstr("a file name"));
  EXPECT_THAT(refusal({"executive", "run", "a.exe", "--sed", "1"}), HasSubstr("--seed"));
}

ServiceOptions service(std::vector<std::string> arguments) {
  const Command command = parse(std::move(arguments));
  if (const auto* message = std::get_if<Message>(&command)) ADD_FAILURE() << to_line(*message);
  const auto* options = std::get_if<ServiceOptions>(&command);
  return options != nullptr ? *options : ServiceOptions();
}

TEST(arguments, run_takes_a_command_and_leaves_it_alone) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(service({"run", "--", "server", "-v", "--restart", "x"}).command,
            (Words{"server", "-v", "--restart", "x"}));
  EXPECT_EQ(service({"run", "--", "server", "--", "-x", "--"}).command,
            (Words{"server", "--", "-x", "--"}));
  EXPECT_EQ(service({"run", "--restart", "always", "server", "-q", "--keep", "2"}).command,
            (Words{"server", "-q", "--keep", "2"}));
  EXPECT_FALSE(service({"run", "server", "-q"}).quiet);
  EXPECT_EQ(refusal({"run"}), "run: which command? Give it behind --; see doppel run --help");
  EXPECT_EQ(refusal({"run", "--"}), "run: which command? Give it behind --; see doppel run --help");
  EXPECT_THAT(refusal({"run", "--", ""}), HasSubstr("name of the command is empty"));
  EXPECT_EQ(refusal({"run", "--restrat", "--", "x"}),
            "run: unknown option --restrat; did you mean --restart?");
}

TEST(arguments, run_judges_its_options) {
  const ServiceOptions plain = service({"run", "--", "x"});
  EXPECT_EQ(plain.restart, RestartMode::never);
  EXPECT_TRUE(plain.follow);
  EXPECT_FALSE(plain.keep.has_value());
  const ServiceOptions all =
      service({"run", "--restart", "on-crash", "--max-restarts", "3/1.5", "--dump-dir", "/d",
               "--keep", "4", "--no-follow", "--json-events", "e", "-q", "--", "x"});
  EXPECT_EQ(all.restart, RestartMode::on_crash);
  EXPECT_EQ(all.limit.count, 3u);
  EXPECT_EQ(all.limit.within, std::chrono::milliseconds(1500));
  EXPECT_EQ(all.dump_directory, "/d");
  EXPECT_EQ(all.keep, 4u);
  EXPECT_FALSE(all.follow);
  EXPECT_EQ(all.json_events, "e");
  EXPECT_TRUE(all.quiet);
  EXPECT_THAT(refusal({"run", "--restart", "sometimes", "--", "x"}), HasSubstr("on-crash"));
  for (const char* limit : {"", "3", "3/", "/3", "3/0", "-1/3", "3/x", "x/3"}) {
    EXPECT_THAT(refusal({"run", "--max-restarts", limit, "--", "x"}), HasSubstr("--max-restarts"))
        << limit;
  }
  EXPECT_THAT(refusal({"run", "--keep", "0", "--", "x"}), HasSubstr("--keep"));
  EXPECT_THAT(refusal({"run", "--dump-dir", "", "--", "x"}), HasSubstr("--dump-dir"));
}

TEST(arguments, help_and_version) {
  EXPECT_EQ(said({"--help"}), help_text(""));
  EXPECT_EQ(said({"-h"}), help_text(""));
  EXPECT_EQ(said({"help"}), help_text(""));
  for (const std::string_view verb : verbs()) {
    const std::string name(verb);
    EXPECT_NE(help_text(verb), help_text("")) << verb;
    EXPECT_EQ(said({name, "--help"}), help_text(verb));
    // Behind the command that it runs, all is the command's.
    if (name != "run") {
      EXPECT_EQ(said({name, "1", "2", "--unknown", "-h"}), help_text(verb));
    }
    EXPECT_EQ(said({"--help", name}), help_text(verb));
    EXPECT_EQ(said({"help", name}), help_text(verb));
    EXPECT_THAT(std::string(help_text("")), HasSubstr(name));
  }
  EXPECT_THAT(said({"--version"}), StartsWith("doppel " + std::string(kVersion)));
  EXPECT_THAT(said({"--version"}), testing::EndsWith("\n"));
}

/// Every word of `text` that looks like a long option.
std::vector<std::string> options_in(std::string_view text) {
  std::vector<std::string> found;
  for (std::size_t at = text.find("--"); at != text.npos; at = text.find("--", at + 2)) {
    if (at > 0 && text[at - 1] == '-') continue;
    std::size_t end = at + 2;
    while (end < text.size() &&
           (std::isalpha(static_cast<unsigned char>(text[end])) || text[end] == '-'))
      ++end;
    if (end > at + 2) found.emplace_back(text.substr(at, end - at));
  }
  return found;
}

TEST(arguments, help_tells_of_every_option_and_of_no_other) {
  for (const std::string_view verb :
       {std::string_view(""), verbs()[0], verbs()[1], verbs()[2], verbs()[3], verbs()[4]}) {
    const std::vector<std::string> known = option_names(verb);
    const std::vector<std::string> told = options_in(help_text(verb));
    EXPECT_FALSE(known.empty());
    for (const std::string& name : known) EXPECT_THAT(told, testing::Contains(name)) << verb;
    for (const std::string& name : told) EXPECT_THAT(known, testing::Contains(name)) << verb;
  }
}

TEST(arguments, the_manual_tells_of_every_option_and_of_no_other) {
  std::ifstream file(DOPPEL_MANUAL);
  const std::string manual(std::istreambuf_iterator<char>(file), {});
  ASSERT_FALSE(manual.empty());
  const std::vector<std::string> told = options_in(manual);
  std::vector<std::string> known = option_names("");
  for (const std::string_view verb : verbs()) {
    EXPECT_THAT(manual, HasSubstr("doppel " + std::string(verb)));
    for (const std::string& name : option_names(verb)) known.push_back(name);
  }
  for (const std::string& name : known) EXPECT_THAT(told, testing::Contains(name));
  for (const std::string& name : told) EXPECT_THAT(known, testing::Contains(name));
}

TEST(arguments, help_fits_a_terminal) {
  for (const std::string_view verb :
       {std::string_view(""), verbs()[0], verbs()[1], verbs()[2], verbs()[3], verbs()[4]}) {
    std::size_t start = 0;
    const std::string_view text = help_text(verb);
    ASSERT_TRUE(text.ends_with('\n'));
    while (start < text.size()) {
      const std::size_t end = text.find('\n', start);
      EXPECT_LE(end - start, 85u) << text.substr(start, end - start);
      start = end + 1;
    }
  }
}

}  // namespace
}  // namespace doppel
