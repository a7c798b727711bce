// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include <dumpwriter/elf/prstatus.h>
#include <tests/support/core_view.h>
#include <tests/support/image_builder.h>

namespace doppel {
namespace {

// The judge is the system's own header: our struct must read back through it.
prstatus_t status_of(const ProcessImage& image, std::size_t thread, bool has_fp = true) {
  const std::vector<std::byte> bytes = make_prstatus(image, image.threads[thread], has_fp);
  EXPECT_EQ(bytes.size(), sizeof(prstatus_t));
  return read_at<prstatus_t>(bytes, 0);
}

prpsinfo_t info_of(const ProcessImage& image) {
  const std::vector<std::byte> bytes = make_prpsinfo(image);
  EXPECT_EQ(bytes.size(), sizeof(prpsinfo_t));
  return read_at<prpsinfo_t>(bytes, 0);
}

TEST(Prstatus, EveryField) {
  ImageBuilder builder;
  builder.thread(4711).thread(4713);
  ProcessInfo& process = builder.image().process;
  process.user_time_us = 5'000'001;
  process.system_time_us = 2'999'999;
  process.children_user_time_us = 1'500'000;
  process.children_system_time_us = 7;
  Thread& second = builder.image().threads[1];
  second.user_time_us = 1'000'002;
  second.system_time_us = 3;
  second.signals_pending = 1u << 9;
  second.signals_blocked = 0x8000000000000001;
  auto* words = reinterpret_cast<std::uint64_t*>(&second.registers.general);
  for (std::size_t i = 0; i < 27; ++i) words[i] = 0x1111 * (i + 1);

  const ProcessImage image = builder.build();
  const prstatus_t leader = status_of(image, 0);
  EXPECT_EQ(leader.pr_pid, 17);  // the target's own numbers
  EXPECT_EQ(leader.pr_utime.tv_sec, 5);
  EXPECT_EQ(leader.pr_utime.tv_usec, 1);
  EXPECT_EQ(leader.pr_stime.tv_sec, 2);
  EXPECT_EQ(leader.pr_stime.tv_usec, 999'999);

  const prstatus_t other = status_of(image, 1, false);
  EXPECT_EQ(other.pr_pid, 19);
  EXPECT_EQ(other.pr_ppid, 1);
  EXPECT_EQ(other.pr_pgrp, 17);
  EXPECT_EQ(other.pr_sid, 1);
  EXPECT_EQ(other.pr_utime.tv_sec, 1);
  EXPECT_EQ(other.pr_utime.tv_usec, 2);
  EXPECT_EQ(other.pr_stime.tv_usec, 3);
  EXPECT_EQ(other.pr_cutime.tv_sec, 1);
  EXPECT_EQ(other.pr_cutime.tv_usec, 500'000);
  EXPECT_EQ(other.pr_cstime.tv_usec, 7);
  EXPECT_EQ(other.pr_sigpend, 1u << 9);
  EXPECT_EQ(other.pr_sighold, 0x8000000000000001);
  EXPECT_EQ(other.pr_cursig, 0);
  EXPECT_EQ(other.pr_info.si_signo, 0);
  EXPECT_EQ(leader.pr_fpvalid, 1);
  EXPECT_EQ(other.pr_fpvalid, 0);
  const auto registers = read_at<user_regs_struct>(std::as_bytes(std::span(other.pr_reg)), 0);
  EXPECT_EQ(registers.r15, 0x1111u);
  EXPECT_EQ(registers.rip, 0x1111u * 17);
  EXPECT_EQ(registers.rsp, 0x1111u * 20);
  EXPECT_EQ(registers.fs_base, 0x1111u * 22);
  EXPECT_EQ(registers.gs, 0x1111u * 27);
}

TEST(Prstatus, SignalOfTheThreadThatFaultedOnly) {
  ImageBuilder builder;
  builder.thread(4711).thread(4712);
  builder.image().fault =
      Fault{.thread = 4712, .number = 11, .code = 1, .address = {}, .siginfo = {}};
  const ProcessImage image = builder.build();
  EXPECT_EQ(status_of(image, 0).pr_cursig, 0);
  EXPECT_EQ(status_of(image, 1).pr_cursig, 11);
  EXPECT_EQ(status_of(image, 1).pr_info.si_signo, 11);
  EXPECT_EQ(status_of(image, 1).pr_info.si_code, 1);
}

TEST(Prpsinfo, EveryField) {
  ImageBuilder builder;
  ProcessInfo& process = builder.image().process;
  process.state = 'R';
  process.nice = -5;
  process.flags = 0x400100;
  const prpsinfo_t info = info_of(builder.build());
  EXPECT_EQ(info.pr_state, 0);
  EXPECT_EQ(info.pr_sname, 'R');
  EXPECT_EQ(info.pr_zomb, 0);
  EXPECT_EQ(info.pr_nice, -5);
  EXPECT_EQ(info.pr_flag, 0x400100u);
  EXPECT_EQ(info.pr_uid, 1000u);
  EXPECT_EQ(info.pr_gid, 100u);
  EXPECT_EQ(info.pr_pid, 17);
  EXPECT_EQ(info.pr_ppid, 1);
  EXPECT_EQ(info.pr_pgrp, 17);
  EXPECT_EQ(info.pr_sid, 1);
  EXPECT_STREQ(info.pr_fname, "server");
  EXPECT_STREQ(info.pr_psargs, "server --port 80");
}

TEST(Prpsinfo, StateLetters) {
  ImageBuilder builder;
  const auto with = [&](char state) {
    builder.image().process.state = state;
    return info_of(builder.build());
  };
  EXPECT_EQ(with('D').pr_state, 2);
  EXPECT_EQ(with('t').pr_sname, 'T');
  EXPECT_EQ(with('t').pr_state, 3);
  EXPECT_EQ(with('Z').pr_zomb, 1);
  EXPECT_EQ(with('I').pr_sname, '.');
  EXPECT_EQ(with('I').pr_state, 6);
}

TEST(Prpsinfo, LongNamesEndWithNul) {
  ImageBuilder builder;
  builder.image().process.comm = std::string(40, 'c');
  builder.image().process.arguments = {std::string(60, 'a'), std::string(60, 'b')};
  const prpsinfo_t info = info_of(builder.build());
  EXPECT_EQ(std::string(info.pr_fname), std::string(15, 'c'));
  EXPECT_EQ(std::string(info.pr_psargs), std::string(60, 'a') + ' ' + std::string(18, 'b'));
}

TEST(Prfpreg, IsTheFxsaveAreaWhereverItStands) {
  CpuContext registers;
  EXPECT_TRUE(make_prfpreg(registers).empty());
  registers.xsave.assign(832, std::byte{5});
  const std::vector<std::byte> derived = make_prfpreg(registers);
  ASSERT_EQ(derived.size(), sizeof(user_fpregs_struct));
  EXPECT_EQ(derived[463], std::byte{5});
  EXPECT_EQ(derived[464], std::byte{0});  // software's: the XSAVE mask is no register
  registers.fxsave.assign(512, std::byte{6});
  EXPECT_EQ(make_prfpreg(registers), registers.fxsave);
}

}  // namespace
}  // namespace doppel
