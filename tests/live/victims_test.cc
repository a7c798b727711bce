// SPDX-License-Identifier: Apache-2.0
//
// Every victim is captured a few times in the state that makes it special, and must not have
// noticed: looked at from outside, and by its own checks.
#include <tests/live/capturing.h>

namespace doppel {
namespace {

struct Kind {
  std::string name;
  std::vector<std::string> arguments;
  std::string engine = "clone";  ///< what the capture is to say it used
  int captures = 3;
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
  for (const std::string& argument : kind.arguments) *out << "_" << argument;
}

class Victims : public testing::TestWithParam<Kind> {};

TEST_P(Victims, AreUnharmed) {
  const Kind& kind = GetParam();
  LiveTarget target(kind.name, kind.arguments);
  DOPPEL_SKIP_IF(target.skip_reason());
  const Unharmed unharmed(target);
  for (int i = 0; i < kind.captures; ++i) {
    {
      auto snapshot = capture(target.pid());
      if (!snapshot) FAIL() << text(snapshot.error()) << "; " << target.finish().failure;
      EXPECT_EQ(snapshot->image.process.engine, kind.engine);
      EXPECT_EQ(snapshot->image.process.pid, target.pid());
      auto sound = check_image(snapshot->image);
      DOPPEL_ASSERT_OK(sound);
      EXPECT_EQ(snapshot->image.threads.size(),
                numbers_in("/proc/" + std::to_string(target.pid()) + "/task").size());
    }
    ASSERT_EQ(unharmed.harm(), "");
  }
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

INSTANTIATE_TEST_SUITE_P(
    All, Victims,
    testing::Values(Kind{"quiet", {}}, Kind{"quiet", {"64", "0"}}, Kind{"busy_threads", {"3", "6"}},
                    Kind{"deep_stack", {"5000"}}, Kind{"big_sparse", {}},
                    Kind{"many_maps", {"60000"}, "clone", 1},
                    Kind{"many_threads", {"1500"}, "clone", 2}, Kind{"rseq_spinner", {"6"}},
                    Kind{"tls_vars", {}}, Kind{"in_handler", {}}, Kind{"odd_maps", {}},
                    Kind{"stranger_watch", {"plain"}}, Kind{"stranger_watch", {"subreaper"}},
                    Kind{"stranger_watch", {"init"}}, Kind{"seccomp", {"errno"}},
                    Kind{"vforker", {}}),
    [](const auto& each) {
      std::string name = each.param.name;
      for (const std::string& argument : each.param.arguments) name += "_" + argument;
      return name;
    });

// A process whose monitor thread must answer before a fork can end: a clone would never return.
TEST(Gambles, AreNotTaken) {
  for (const char* name : {"uffd_fork", "pinned"}) {
    SCOPED_TRACE(name);
    LiveTarget target(name, {"96"});
    DOPPEL_SKIP_IF(target.skip_reason());
    const Unharmed unharmed(target);
    {
      auto snapshot = capture(target.pid());
      DOPPEL_ASSERT_OK(snapshot);
      EXPECT_EQ(snapshot->image.process.engine, "direct");
      EXPECT_NE(snapshot->image.process.consistency, "instant");
    }
    EXPECT_EQ(unharmed.harm(), "");
    {
      // Pinned pages only make a clone slow; who asks for one gets it. The monitor would never
      // answer.
      auto asked = capture(target.pid(), SharedMemory::live, Engine::clone);
      EXPECT_EQ(asked.has_value(), std::string(name) == "pinned");
    }
    EXPECT_EQ(unharmed.harm(), "");
    const Ending ending = target.finish();
    EXPECT_TRUE(ending.ok) << ending.failure;
    if (std::string(name) == "uffd_fork") {
      ASSERT_FALSE(ending.reports.empty());
      EXPECT_EQ(ending.reports[0], "{\"forks_seen\":0}");
    }
  }
}

// What this process forks is born into a namespace whose first process a helper must not be.
TEST(Gambles, AreNotTakenWithChildrenInAnotherNamespace) {
  LiveTarget target("stranger_watch", {"init"});
  DOPPEL_SKIP_IF(target.skip_reason());
  ASSERT_NE(target.started(), target.pid());
  {
    auto snapshot = capture(target.started());
    DOPPEL_ASSERT_OK(snapshot);
    EXPECT_EQ(snapshot->image.process.engine, "direct");
  }
  EXPECT_FALSE(capture(target.started(), SharedMemory::live, Engine::clone).has_value());
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

class SeccompKill : public testing::TestWithParam<const char*> {};

// A filter that kills: with the privilege to suspend filters a clone, without it never one.
TEST_P(SeccompKill, SparesTheTarget) {
  LiveTarget target("seccomp", {GetParam()});
  const Unharmed unharmed(target);
  for (int i = 0; i < 3; ++i) {
    auto snapshot = capture(target.pid());
    DOPPEL_ASSERT_OK(snapshot);
    EXPECT_TRUE(snapshot->image.process.engine == "clone" ||
                snapshot->image.process.engine == "direct");
  }
  EXPECT_EQ(unharmed.harm(), "");
  const Ending ending = target.finish();
  EXPECT_TRUE(ending.ok) << ending.failure;
}

INSTANTIATE_TEST_SUITE_P(All, SeccompKill, testing::Values("kill", "kill_thread"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace doppel
