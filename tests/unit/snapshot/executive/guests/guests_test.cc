// SPDX-License-Identifier: Apache-2.0
//
// Every compiled guest on the executive, from its creation to its end: what it is there to show,
// at -O0 and at -O2, under three seeds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <snapshot/executive/guest_session.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/nt_status_name.h>
#include <snapshot/executive/win32/create_process.h>

namespace doppel {

void PrintTo(const NtStatus& status, std::ostream* to) {
  *to << std::hex << status.value << ' ' << nt_status_name(status);
}

namespace {

constexpr std::uint64_t kSteps = 20'000'000;

std::vector<std::byte> image_of(const std::string& program) {
  std::ifstream file(std::string(DOPPEL_GUESTS_DIR "/") + program, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(bytes.empty()) << program;
  const auto view = std::as_bytes(std::span(bytes));
  return {view.begin(), view.end()};
}

class Guests : public testing::TestWithParam<std::tuple<std::string, std::uint64_t>> {
 protected:
  std::string program(const std::string& name) const { return name + std::get<0>(GetParam()); }

  GuestSession& session(const std::string& name, std::vector<std::string> arguments = {},
                        NtProfile profile = NtProfile::nt63) {
    GuestSessionOptions options;
    options.executive.profile = profile;
    options.executive.seed = std::get<1>(GetParam());
    options.executive.schedule.policy = SchedulePolicy::seeded;
    options.executive.check_invariants = true;
    options.program = program(name);
    options.image = image_of(options.program);
    options.arguments = std::move(arguments);
    return session_.emplace(std::move(options));
  }

  /// Runs it to its end and returns its exit status.
  NtStatus exit_of(GuestSession& of) {
    std::uint32_t process = 0;
    EXPECT_EQ(of.launch(process), status::success);
    const GuestEnd end = of.run(kSteps);
    EXPECT_EQ(end, GuestEnd::exited)
        << static_cast<int>(end) << of.executive().stepper().unknown_instruction();
    return of.exit_status();
  }

  /// Runs it into a crash and returns the exception.
  ExceptionRecord crash_of(const std::string& name) {
    GuestSession& of = session(name);
    std::uint32_t process = 0;
    EXPECT_EQ(of.launch(process), status::success);
    const GuestEnd end = of.run(kSteps);
    EXPECT_EQ(end, GuestEnd::crashed) << static_cast<int>(end);
    const ExceptionRecord record = of.crash().record;
    EXPECT_EQ(of.exit_status(), status::pending);
    EXPECT_EQ(of.dismiss(), status::success);
    EXPECT_EQ(of.exit_status(), record.code);
    return record;
  }

  std::u16string file(const std::string& name) {
    const std::shared_ptr<FileNode> node = session_->executive().files().find(name);
    EXPECT_NE(node, nullptr) << name;
    std::u16string text(node == nullptr ? 0 : node->bytes.size() / 2, u'\0');
    if (node != nullptr) std::memcpy(text.data(), node->bytes.data(), text.size() * 2);
    return text;
  }

  std::optional<GuestSession> session_;
};

INSTANTIATE_TEST_SUITE_P(All, Guests,
                         testing::Combine(testing::Values(".exe", "-O2.exe"),
                                          testing::Values(1, 2, 3)),
                         [](const auto& test) {
                           const std::string level =
                               std::get<0>(test.param) == ".exe" ? "O0" : "O2";
                           return level + "_seed" + std::to_string(std::get<1>(test.param));
                         });

TEST_P(Guests, CounterCountsUntilItIsStopped) {
  GuestSession& counter = session("counter");
  std::uint32_t process = 0;
  ASSERT_EQ(counter.launch(process), status::success);
  EXPECT_EQ(counter.run(100'000), GuestEnd::max_steps);
  EXPECT_EQ(counter.exit_status(), status::pending);
}

TEST_P(Guests, CrashesHaveTheirCodes) {
  const ExceptionRecord av = crash_of("crash_av");
  EXPECT_EQ(av.code, status::access_violation);
  EXPECT_EQ(av.parameter_count, 2u);
  EXPECT_EQ(av.parameters[0], 1u);
  EXPECT_EQ(av.parameters[1], 0u);
  EXPECT_EQ(crash_of("crash_div").code, status::integer_divide_by_zero);
  EXPECT_EQ(crash_of("crash_int3").code, status::breakpoint);
  EXPECT_EQ(crash_of("crash_ud2").code, status::illegal_instruction);
  EXPECT_EQ(crash_of("crash_guard").code, status::guard_page_violation);
}

TEST_P(Guests, T52StackGrowsToTheReserveAndOverflows) {
  GuestSession& stack = session("crash_stack");
  std::uint32_t process = 0;
  ASSERT_EQ(stack.launch(process), status::success);
  ASSERT_EQ(stack.run(kSteps), GuestEnd::crashed);
  EXPECT_EQ(stack.crash().record.code, status::stack_overflow);
  const Process* const dying = stack.executive().find_process(process);
  ASSERT_NE(dying, nullptr);
  const std::uint64_t rsp = stack.crash().context.registers.general[kRsp];
  // From the pointer to the stack's base all is committed; of the default reserve of 1 MiB that is
  // all but the last pages.
  MemoryInformation region;
  ASSERT_EQ(dying->space->query(rsp, region), status::success);
  EXPECT_EQ(region.state, mem::commit);
  const std::uint64_t committed = region.base + region.size - rsp;
  EXPECT_GE(committed, std::uint64_t{0xFC000});
}

TEST_P(Guests, T04ParametersAreReadByTheChild) {
  GuestSession& argv = session("argv", {"one", "two words"});
  EXPECT_EQ(exit_of(argv), status::success);
  const std::u16string text = file("argv.out");
  const std::u16string line = u"C:\\" + utf16_of(program("argv")) + u" one \"two words\"";
  EXPECT_EQ(text.substr(0, line.size()), line);
  EXPECT_NE(text.find(u"SystemRoot=C:\\"), std::u16string::npos);
}

TEST_P(Guests, T04ParametersAreReadByTheChildOfTheClassicPath) {
  GuestSession& argv = session("argv", {"one", "two words"}, NtProfile::nt52);
  EXPECT_EQ(exit_of(argv), status::success);
  const std::u16string line = u"C:\\" + utf16_of(program("argv")) + u" one \"two words\"";
  EXPECT_EQ(file("argv.out").substr(0, line.size()), line);
}

TEST_P(Guests, T05WithoutAStackTheFirstPushCrashes) {
  GuestSession& argv = session("argv");
  HostActor creator(argv.executive(), "creator");
  Win32 win32(creator.nt());
  ProcessInformation made;
  ASSERT_EQ(create_process(win32,
                           {.application = argv.path(),
                            .command_line = std::nullopt,
                            .classic = true,
                            .without_stack = true},
                           made),
            win32_error::success);
  // No crash port: the process ends with the exception's code.
  std::uint32_t waited = 1;
  EXPECT_EQ(win32.wait_for_single_object(made.process, std::nullopt, waited), 0u);
  EXPECT_EQ(waited, 0u);
  EXPECT_EQ(argv.executive().find_process(made.process_id)->exit_status, status::access_violation);
}

TEST_P(Guests, T12Win32HasNoWordForAClone) {
  GuestSession& argv = session("argv");
  HostActor creator(argv.executive(), "creator");
  Win32 win32(creator.nt());
  ProcessInformation made;
  for (const bool classic : {false, true})
    EXPECT_EQ(
        create_process(
            win32, {.application = std::nullopt, .command_line = std::nullopt, .classic = classic},
            made),
        87u);
}

TEST_P(Guests, T10ForkerForksItself) {
  EXPECT_EQ(exit_of(session("forker")), status::success);
}

TEST_P(Guests, HolderHoldsAndCrashes) {
  GuestSession& holder = session("holder");
  std::vector<std::string> calls;
  holder.executive().on_call = [&](const TraceEvent& event) {
    if (event.thread != 0 && event.status == status::success) calls.emplace_back(event.call);
  };
  std::uint32_t process = 0;
  ASSERT_EQ(holder.launch(process), status::success);
  ASSERT_EQ(holder.run(kSteps), GuestEnd::crashed);
  EXPECT_EQ(holder.crash().record.code, status::access_violation);
  EXPECT_THAT(calls, testing::ElementsAre("NtCreateFile", "NtLockFile", "NtCreateMutant"));
  EXPECT_NE(holder.executive().files().find("data.bin"), nullptr);
  // While it waits for the answer a second one is refused.
  std::uint32_t second = 0;
  ASSERT_EQ(holder.launch(second), status::success);
  ASSERT_EQ(holder.run(kSteps), GuestEnd::exited);
  EXPECT_EQ(holder.exit_status(), status::sharing_violation);
  ASSERT_EQ(holder.dismiss(), status::success);
  std::uint32_t third = 0;
  ASSERT_EQ(holder.launch(third), status::success);
  EXPECT_EQ(holder.run(kSteps), GuestEnd::crashed);
}

TEST_P(Guests, MapperMapsAllKinds) {
  GuestSession& mapper = session("mapper");
  std::uint32_t process = 0;
  ASSERT_EQ(mapper.launch(process), status::success);
  EXPECT_EQ(mapper.run(200'000), GuestEnd::max_steps);
  std::size_t views = 0;
  for (const auto& [page, vad] : mapper.executive().find_process(process)->space->vads())
    if (vad.kind == VadKind::data || vad.kind == VadKind::pagefile) ++views;
  EXPECT_EQ(views, 4u);
}

TEST_P(Guests, GensStampsItsPagesInOrder) {
  GuestSession& gens = session("gens");
  std::uint32_t process = 0;
  ASSERT_EQ(gens.launch(process), status::success);
  EXPECT_EQ(gens.run(100'000), GuestEnd::max_steps);
}

TEST_P(Guests, ServerServesItsClient) {
  GuestSession& server = session("server");
  server.executive().files().install(program("client"), image_of(program("client")));
  std::uint32_t process = 0;
  ASSERT_EQ(server.launch(process), status::success);
  // It waits for its client, and nobody is there yet.
  EXPECT_EQ(server.run(kSteps), GuestEnd::deadlock);
  HostActor starter(server.executive(), "starter");
  Win32 win32(starter.nt());
  ProcessInformation client;
  ASSERT_EQ(
      create_process(
          win32, {.application = "C:\\" + program("client"), .command_line = std::nullopt}, client),
      win32_error::success);
  EXPECT_EQ(server.run(kSteps), GuestEnd::exited);
  EXPECT_EQ(server.exit_status(), status::success);
  std::uint32_t waited = 1;
  EXPECT_EQ(win32.wait_for_single_object(client.process, std::nullopt, waited), 0u);
  EXPECT_EQ(server.executive().find_process(client.process_id)->exit_status, status::success);
}

TEST_P(Guests, T45SameSeedSameTrace) {
  std::vector<std::uint64_t> hashes;
  for (int round = 0; round < 2; ++round) {
    GuestSession& forker = session("forker");
    EXPECT_EQ(exit_of(forker), status::success);
    hashes.push_back(forker.executive().stepper().trace_hash());
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

}  // namespace
}  // namespace doppel
