// SPDX-License-Identifier: Apache-2.0
//
// stat, status, auxv, syscall, sched, limits, io: texts of real processes, of other kernels, and
// hostile ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include <snapshot/linux/proc_parser.h>

namespace doppel {
namespace {

using testing::ElementsAre;

constexpr std::string_view kStat =
    "7413 (cat) R 7404 7400 3508 0 -1 4194304 117 0 0 0 12 34 5 6 20 -5 3 0 131885 3133440 392 "
    "18446744073709551615 94681217937408 94681217957289 140724448418192 0 0 0 0 0 0 0 0 0 17 1 0 0 "
    "0 0 0 94681217973296 94681217974912 94681748406272 140724448422487 140724448422542 "
    "140724448422542 140724448423915 0\n";

TEST(ParseStat, ReadsTheFields) {
  const auto stat = parse_stat(kStat);
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->pid, 7413);
  EXPECT_EQ(stat->comm, "cat");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->parent, 7404);
  EXPECT_EQ(stat->group, 7400);
  EXPECT_EQ(stat->session, 3508);
  EXPECT_EQ(stat->flags, 4194304u);
  EXPECT_EQ(stat->user_ticks, 12u);
  EXPECT_EQ(stat->system_ticks, 34u);
  EXPECT_EQ(stat->children_user_ticks, 5);
  EXPECT_EQ(stat->children_system_ticks, 6);
  EXPECT_EQ(stat->nice, -5);
  EXPECT_EQ(stat->threads, 3);
  EXPECT_EQ(stat->start_ticks, 131885u);
  EXPECT_EQ(stat->virtual_size, 3133440u);
  EXPECT_EQ(stat->resident_pages, 392);
  EXPECT_EQ(stat->exit_signal, 17);
  EXPECT_EQ(stat->processor, 1);
}

std::string with_name(std::string_view name) {
  return "1 (" + std::string(name) + std::string(kStat.substr(kStat.find(')')));
}

TEST(ParseStat, NamesMayHoldAnything) {
  for (const char* name : {"a b", "x) S 1 2 3", "((", "", "two\nlines", ") R 1 (", "\xff\x01"}) {
    const auto stat = parse_stat(with_name(name));
    ASSERT_TRUE(stat.has_value()) << name;
    EXPECT_EQ(stat->comm, name);
    EXPECT_EQ(stat->state, 'R');
    EXPECT_EQ(stat->parent, 7404);
  }
}

TEST(ParseStat, RefusesWhatIsCutShort) {
  for (const char* text : {"", "7", "7 (x", "7 (x)", "7 (x) S", "7 (x) S 1 2 3", ")x(", "x (y) S 1",
                           "7 (x) SS 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"}) {
    EXPECT_FALSE(parse_stat(text).has_value()) << text;
  }
}

constexpr std::string_view kStatus =
    "Name:\ta\\nb\\\\c \nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4711\nNgid:\t0\nPid:\t4712\n"
    "PPid:\t1\nTracerPid:\t99\nUid:\t1000\t1001\t1002\t1003\nGid:\t5\t6\t7\t8\nFDSize:\t256\n"
    "Groups:\t \nNStgid:\t4711\t12\t1\nNSpid:\t4712\t13\t2\nNSpgid:\t4700\t12\t1\n"
    "NSsid:\t4700\t0\t1\nKthread:\t0\nVmPeak:\t  5000 kB\nVmSize:\t    4000 kB\nVmLck:\t  8 kB\n"
    "VmPin:\t      16 kB\nVmHWM:\t    1680 kB\nVmRSS:\t    1680 kB\nRssAnon:\t     112 kB\n"
    "RssFile:\t    1568 kB\nRssShmem:\t       3 kB\nVmPTE:\t      48 kB\nVmSwap:\t       7 kB\n"
    "HugetlbPages:\t       2048 kB\nCoreDumping:\t1\nTHP_enabled:\t0\nThreads:\t3\n"
    "SigQ:\t0/96365\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\n"
    "SigBlk:\t0000000000000004\nSigIgn:\t0000000000001000\nSigCgt:\t7fffffff00000000\n"
    "CapInh:\t0000000000000001\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000080000\n"
    "CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000002\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    "Seccomp_filters:\t3\nSpeculation_Store_Bypass:\tvulnerable\n"
    "x86_Thread_features:\tshstk wrss \nx86_Thread_features_locked:\tshstk \n"
    "voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";

TEST(ParseStatus, ReadsTheFields) {
  const auto status = parse_status(kStatus);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->name, "a\nb\\c ");
  EXPECT_EQ(status->state, 'S');
  EXPECT_EQ(status->thread_group, 4711);
  EXPECT_EQ(status->pid, 4712);
  EXPECT_EQ(status->parent, 1);
  EXPECT_EQ(status->tracer, 99);
  EXPECT_EQ(status->uid, (IdSet{1000, 1001, 1002, 1003}));
  EXPECT_EQ(status->gid, (IdSet{5, 6, 7, 8}));
  EXPECT_THAT(status->namespace_group_ids, ElementsAre(4711, 12, 1));
  EXPECT_THAT(status->namespace_ids, ElementsAre(4712, 13, 2));
  EXPECT_THAT(status->namespace_groups, ElementsAre(4700, 12, 1));
  EXPECT_THAT(status->namespace_sessions, ElementsAre(4700, 0, 1));
  EXPECT_EQ(status->virtual_size, 4000u << 10);
  EXPECT_EQ(status->locked, 8u << 10);
  EXPECT_EQ(status->pinned, 16u << 10);
  EXPECT_EQ(status->resident, 1680u << 10);
  EXPECT_EQ(status->resident_anonymous, 112u << 10);
  EXPECT_EQ(status->resident_file, 1568u << 10);
  EXPECT_EQ(status->resident_shared, 3u << 10);
  EXPECT_EQ(status->page_tables, 48u << 10);
  EXPECT_EQ(status->swapped, 7u << 10);
  EXPECT_EQ(status->hugetlb, 2048u << 10);
  EXPECT_TRUE(status->core_dumping);
  EXPECT_FALSE(status->thp_enabled);
  EXPECT_EQ(status->threads, 3);
  EXPECT_EQ(status->signals_pending, 1u);
  EXPECT_EQ(status->group_signals_pending, 2u);
  EXPECT_EQ(status->signals_blocked, 4u);
  EXPECT_EQ(status->signals_ignored, 0x1000u);
  EXPECT_EQ(status->signals_caught, 0x7fffffff00000000u);
  EXPECT_EQ(status->capabilities_inheritable, 1u);
  EXPECT_EQ(status->capabilities_permitted, 0x1ffffffffffu);
  EXPECT_EQ(status->capabilities_effective, 0x80000u);
  EXPECT_EQ(status->capabilities_bounding, 0x1ffffffffffu);
  EXPECT_EQ(status->capabilities_ambient, 2u);
  EXPECT_TRUE(status->no_new_privileges);
  EXPECT_EQ(status->seccomp, Seccomp::filter);
  EXPECT_EQ(status->seccomp_filters, 3u);
  EXPECT_EQ(status->x86_features, "shstk wrss");
  EXPECT_EQ(status->x86_features_locked, "shstk");
  EXPECT_TRUE(status->shadow_stack());
  EXPECT_EQ(status->voluntary_switches, 150u);
  EXPECT_EQ(status->involuntary_switches, 545u);
}

TEST(ParseStatus, AKernelThreadHasNoMemory) {
  // 5.10, shortened: no Vm lines, no Seccomp_filters, no x86 features.
  const auto status = parse_status(
      "Name:\tkthreadd\nState:\tS (sleeping)\nTgid:\t2\nPid:\t2\nPPid:\t0\nTracerPid:\t0\n"
      "Uid:\t0\t0\t0\t0\nThreads:\t1\nSeccomp:\t0\n");
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->resident, std::nullopt);
  EXPECT_EQ(status->pinned, std::nullopt);
  EXPECT_EQ(status->seccomp_filters, std::nullopt);
  EXPECT_TRUE(status->namespace_ids.empty());
  EXPECT_FALSE(status->shadow_stack());
  EXPECT_TRUE(status->thp_enabled);
}

TEST(ParseStatus, RefusesATextWithoutIds) {
  EXPECT_FALSE(parse_status("").has_value());
  EXPECT_FALSE(parse_status("Name:\tx\nState:\tS\nTgid:\t1\n").has_value());
  EXPECT_FALSE(parse_status("State:\tS\nTgid:\t1\nPid:\tx\n").has_value());
}

TEST(ParseStatus, AnyBytesGiveAnAnswer) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string text(kStatus);
    for (unsigned changes = random() % 8; changes-- > 0;) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    text.resize(random() % (text.size() + 1));
    (void)parse_status(text).has_value();
    (void)parse_stat(text).has_value();
    (void)parse_sched(text).has_value();
    (void)parse_syscall(text).has_value();
    (void)parse_limits(text);
    (void)parse_io(text);
  }
}

TEST(Describe, FillsTheModel) {
  const auto stat = parse_stat(kStat);
  const auto status = parse_status(kStatus);
  ProcStatus parent;
  parent.namespace_group_ids = {7404, 77, 9};
  ProcessInfo process;
  describe_process(*stat, *status, &parent, process);
  EXPECT_EQ(process.pid, 7413);
  EXPECT_EQ(process.parent, 7404);
  EXPECT_EQ(process.group, 7400);
  EXPECT_EQ(process.session, 3508);
  EXPECT_EQ(process.namespace_pid, 1);
  EXPECT_EQ(process.namespace_parent, 9);
  EXPECT_EQ(process.namespace_group, 1);
  EXPECT_EQ(process.namespace_session, 1);
  EXPECT_EQ(process.uid, 1000u);
  EXPECT_EQ(process.gid, 5u);
  EXPECT_EQ(process.comm, "cat");
  EXPECT_EQ(process.state, 'R');
  EXPECT_EQ(process.nice, -5);
  EXPECT_EQ(process.user_time_us, 120'000u);
  EXPECT_EQ(process.system_time_us, 340'000u);
  EXPECT_EQ(process.children_user_time_us, 50'000u);
  EXPECT_EQ(process.children_system_time_us, 60'000u);
  EXPECT_EQ(process.signals_pending, 3u);
  EXPECT_EQ(process.signals_blocked, 4u);
  EXPECT_EQ(process.start_ticks, 131885u);

  Thread thread;
  describe_thread(*stat, *status, thread);
  EXPECT_EQ(thread.id, 7413);
  EXPECT_EQ(thread.namespace_id, 2);
  EXPECT_EQ(thread.signals_pending, 1u);
  EXPECT_EQ(thread.user_time_us, 120'000u);
}

TEST(Describe, AParentOutsideTheNamespaceIsZero) {
  const auto stat = parse_stat(kStat);
  auto status = parse_status(kStatus);
  ProcessInfo process;
  describe_process(*stat, *status, nullptr, process);
  EXPECT_EQ(process.namespace_parent, 0);
  ProcStatus outer;
  outer.namespace_group_ids = {7404};
  describe_process(*stat, *status, &outer, process);
  EXPECT_EQ(process.namespace_parent, 0);
  // Same namespace as the reader's: the ids are the reader's.
  status->namespace_group_ids = {4711};
  describe_process(*stat, *status, nullptr, process);
  EXPECT_EQ(process.namespace_parent, 7404);
}

TEST(ParseAuxv, StopsAtNullAndIgnoresATail) {
  const std::uint64_t words[] = {33, 0x7fff00000000, 6, 4096, 0, 0, 3, 1};
  const auto bytes = std::as_bytes(std::span(words));
  const auto auxv = parse_auxv(bytes);
  EXPECT_THAT(auxv, ElementsAre(AuxEntry{33, 0x7fff00000000}, AuxEntry{6, 4096}));
  EXPECT_EQ(find_aux(auxv, 6), 4096u);
  EXPECT_EQ(find_aux(auxv, 3), std::nullopt);
  EXPECT_EQ(parse_auxv(bytes.first(31)).size(), 1u);
  EXPECT_TRUE(parse_auxv({}).empty());
}

TEST(ParseSyscall, ReadsAllThreeForms) {
  const auto sleeping =
      parse_syscall("232 0x4 0x7ffd30 0x10 0xffffffffffffffff 0x0 0x8 0x7ffd2c48 0x7f0d5ad4d116\n");
  ASSERT_TRUE(sleeping.has_value());
  EXPECT_FALSE(sleeping->running);
  EXPECT_EQ(sleeping->number, 232);
  EXPECT_EQ(sleeping->arguments[3], UINT64_MAX);
  EXPECT_EQ(sleeping->arguments[5], 8u);
  EXPECT_EQ(sleeping->stack_pointer, 0x7ffd2c48u);
  EXPECT_EQ(sleeping->program_counter, 0x7f0d5ad4d116u);

  const auto faulting = parse_syscall("-1 0x7ffd2c48 0x401000\n");
  ASSERT_TRUE(faulting.has_value());
  EXPECT_EQ(faulting->number, -1);
  EXPECT_EQ(faulting->stack_pointer, 0x7ffd2c48u);

  const auto running = parse_syscall("running\n");
  ASSERT_TRUE(running.has_value());
  EXPECT_TRUE(running->running);
}

TEST(ParseSyscall, RefusesTheRest) {
  for (const char* text : {"", "x", "-2 0x0 0x0", "1 0x2", "-1 0x1", "232 1 2 3 4 5 6 7 zz"}) {
    EXPECT_FALSE(parse_syscall(text).has_value()) << text;
  }
}

constexpr std::string_view kSched =
    "cat (7413, #threads: 1)\n"
    "-------------------------------------------------------------------\n"
    "se.exec_start                                :       1318830.870114\n"
    "se.vruntime                                  :           151.556836\n"
    "nr_switches                                  :                   13\n"
    "nr_voluntary_switches                        :                   10\n"
    "nr_involuntary_switches                      :                    3\n";

TEST(ParseSched, ReadsTheInstantAndTheCounts) {
  const auto sched = parse_sched(kSched);
  ASSERT_TRUE(sched.has_value());
  EXPECT_EQ(sched->exec_start_ns, 1318830870114u);
  EXPECT_EQ(sched->voluntary_switches, 10u);
  EXPECT_EQ(sched->involuntary_switches, 3u);
}

TEST(ParseSched, RefusesHalfAnAnswer) {
  EXPECT_FALSE(parse_sched("").has_value());
  EXPECT_FALSE(parse_sched("se.exec_start : 5.000001\n").has_value());
  EXPECT_FALSE(parse_sched("se.exec_start : 5\nnr_voluntary_switches : 1\n").has_value());
  EXPECT_FALSE(parse_sched("se.exec_start : 5.01\nnr_voluntary_switches : 1\n").has_value());
  EXPECT_FALSE(
      parse_sched("se.exec_start : 18446744073709551615.000001\nnr_voluntary_switches : 1\n")
          .has_value());
}

TEST(ParseLimits, ReadsColumns) {
  const auto limits = parse_limits(
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max cpu time              unlimited            unlimited            seconds   \n"
      "Max processes             96365                96366                processes \n"
      "Max realtime timeout      unlimited            unlimited            us        \n"
      "Max bad                   many                 1                    \nMax\n");
  EXPECT_THAT(limits, ElementsAre(ProcLimit{"Max cpu time", {}, {}},
                                  ProcLimit{"Max processes", 96365, 96366},
                                  ProcLimit{"Max realtime timeout", {}, {}}));
}

TEST(ParseIo, ReadsCounts) {
  const ProcIo io = parse_io(
      "rchar: 6976\nwchar: 1\nsyscr: 10\nsyscw: 2\nread_bytes: 3\nwrite_bytes: 4\n"
      "cancelled_write_bytes: 5\n");
  EXPECT_EQ(io.read_chars, 6976u);
  EXPECT_EQ(io.written_chars, 1u);
  EXPECT_EQ(io.read_calls, 10u);
  EXPECT_EQ(io.write_calls, 2u);
  EXPECT_EQ(io.read_bytes, 3u);
  EXPECT_EQ(io.written_bytes, 4u);
  EXPECT_EQ(io.cancelled_bytes, 5u);
}

}  // namespace
}  // namespace doppel
