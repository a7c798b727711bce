// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include <cli/machine.h>
#include <cli/render/doctor.h>

namespace doppel {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kGiB = 1ull << 30;

MachineFacts sound() {
  MachineFacts facts;
  facts.kernel = "6.1.0";
  facts.machine = "x86_64";
  facts.may_ptrace = true;
  facts.may_administer = true;
  facts.may_suspend_seccomp = true;
  facts.yama_scope = 0;
  facts.overcommit = 0;
  facts.huge_pages = "madvise";
  facts.pressure_known = true;
  facts.memory_total = 16 * kGiB;
  facts.memory_left = 8 * kGiB;
  facts.directory_writable = true;
  facts.directory_free = 100 * kGiB;
  facts.cpus = 4;
  return facts;
}

const Check& find(const std::vector<Check>& checks, std::string_view name) {
  const auto found = std::ranges::find(checks, name, &Check::name);
  if (found == checks.end()) throw std::out_of_range(std::string(name));
  return *found;
}

TEST(machine, a_sound_one_has_nothing_to_say_against) {
  const auto checks = judge_machine(sound());
  for (const Check& check : checks) EXPECT_TRUE(check.good) << check.name << ": " << check.what;
  EXPECT_EQ(machine_exit(checks), ExitCode::done);
  EXPECT_EQ(machine_text(checks, Style{false}),
            "  ok    Linux 6.1.0 on x86_64\n"
            "  ok    any process can be captured (CAP_SYS_PTRACE)\n"
            "  ok    processes under a seccomp filter can be cloned\n"
            "  ok    8.00 GiB of 16.0 GiB memory left\n"
            "  ok    100 GiB free in the current directory\n"
            "  ok    compression on 4 CPUs\n");
}

TEST(machine, permission_depends_on_yama_and_capability) {
  struct Case {
    std::optional<int> yama;
    bool capability;
    ExitCode exit;
    const char* what;
  };

  const Case cases[] = {
      {std::nullopt, false, ExitCode::done, "processes of user 1000 can be captured"},
      {0, false, ExitCode::done, "processes of user 1000 can be captured"},
      {1, false, ExitCode::not_permitted, "only our own children"},
      {2, false, ExitCode::not_permitted, "no process can be attached to"},
      {3, false, ExitCode::not_permitted, "no process can be attached to"},
      {1, true, ExitCode::done, "any process can be captured"},
      {2, true, ExitCode::done, "any process can be captured"},
      {3, true, ExitCode::not_permitted, "no process can be attached to"},
  };
  for (const Case& each : cases) {
    MachineFacts facts = sound();
    facts.uid = 1000;
    facts.yama_scope = each.yama;
    facts.may_ptrace = each.capability;
    const auto checks = judge_machine(facts);
    EXPECT_THAT(find(checks, "permission").what, HasSubstr(each.what));
    EXPECT_EQ(machine_exit(checks), each.exit) << each.yama.value_or(-1) << each.capability;
  }
}

TEST(machine, a_filter_on_ourselves_is_named) {
  MachineFacts facts = sound();
  facts.ptrace_answers = false;
  const auto checks = judge_machine(facts);
  EXPECT_THAT(find(checks, "permission").why, HasSubstr("seccomp"));
  EXPECT_THAT(find(checks, "permission").remedy, HasSubstr("SYS_PTRACE"));
  EXPECT_EQ(machine_exit(checks), ExitCode::not_permitted);
}

TEST(machine, each_weak_spot_is_named_with_its_remedy) {
  MachineFacts facts = sound();
  facts.machine = "aarch64";
  facts.may_suspend_seccomp = false;
  facts.may_administer = false;
  facts.memory_left = 10 << 20;
  facts.overcommit = 2;
  facts.huge_pages = "never";
  facts.pressure_known = false;
  facts.directory_writable = false;
  const auto checks = judge_machine(facts);
  for (const char* name :
       {"kernel", "seccomp", "memory", "overcommit", "huge_pages", "pressure", "directory"}) {
    EXPECT_FALSE(find(checks, name).good) << name;
  }
  EXPECT_EQ(machine_exit(checks), ExitCode::failed) << "impossible outweighs losses";
  facts.machine = "x86_64";
  EXPECT_EQ(machine_exit(judge_machine(facts)), ExitCode::with_losses);
}

TEST(machine, json_carries_all_of_it) {
  MachineFacts facts = sound();
  facts.yama_scope = 3;
  const auto object = nlohmann::json::parse(machine_json(judge_machine(facts)));
  EXPECT_EQ(object.at("schema"), 1);
  EXPECT_EQ(object.at("exit"), 5);
  EXPECT_EQ(object.at("checks").at(0).at("check"), "kernel");
  EXPECT_EQ(object.at("checks").at(0).at("good"), true);
  EXPECT_EQ(object.at("checks").at(0).at("severity"), nullptr);
  EXPECT_EQ(object.at("checks").at(1).at("severity"), "forbids");
}

TEST(machine, this_one_can_be_read) {
  const MachineFacts facts = read_machine(Sys::real());
  EXPECT_EQ(facts.machine, "x86_64");
  EXPECT_GT(facts.memory_total, facts.memory_left / 2);
  EXPECT_GT(facts.memory_total, 0u);
  EXPECT_GE(facts.cpus, 1u);
}

}  // namespace
}  // namespace doppel
