// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include <snapshot/linux/fatal_signal.h>

namespace doppel {
namespace {

std::string status(const char* ignored, const char* caught, const char* groups = "4711") {
  return std::string("Name:\tSigIgn: \\n\nUmask:\t0022\nNStgid:\t") + groups +
         "\nNSpid:\t1\nSigBlk:\tffffffffffffffff\nSigIgn:\t" + ignored + "\nSigCgt:\t" + caught +
         "\nCapInh:\t0000000000000000\n";
}

SignalActions actions(const char* ignored, const char* caught, const char* groups = "4711") {
  return parse_signal_actions(status(ignored, caught, groups)).value();
}

TEST(FatalSignal, ReadsTheMasks) {
  EXPECT_EQ(actions("0000000000001000", "0000000180000000"),
            (SignalActions{.ignored = 0x1000, .caught = 0x180000000, .namespace_init = false}));
}

TEST(FatalSignal, NothingWithoutTheLines) {
  EXPECT_FALSE(parse_signal_actions("").has_value());
  EXPECT_FALSE(parse_signal_actions("Name:\tx\nSigIgn:\t0000000000000000\n").has_value());
  EXPECT_FALSE(parse_signal_actions("Name:\tx\nSigIgn:\tz\nSigCgt:\t0\n").has_value());
}

TEST(FatalSignal, DefaultActionThatDumpsIsACrash) {
  for (const int signal :
       {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS}) {
    EXPECT_TRUE(is_crash(signal, SI_KERNEL, actions("0", "0"))) << signal;
    EXPECT_TRUE(is_crash(signal, SI_USER, actions("0", "0"))) << signal;
  }
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGKILL, SIGPIPE, SIGUSR1, SIGCHLD, SIGSTOP,
                           SIGWINCH, 34, 64, 0, 65, -1}) {
    EXPECT_FALSE(is_crash(signal, SI_USER, actions("0", "0"))) << signal;
  }
}

TEST(FatalSignal, HandledOrIgnoredIsNone) {
  EXPECT_FALSE(is_crash(SIGSEGV, SEGV_MAPERR, actions("0", "0000000000000400")));
  EXPECT_FALSE(is_crash(SIGSEGV, SI_USER, actions("0000000000000400", "0")));
  EXPECT_TRUE(is_crash(SIGABRT, SI_TKILL, actions("0000000000000400", "0000000000000400")));
}

TEST(FatalSignal, WhatIsSentToAnInitIsDropped) {
  const SignalActions init = actions("0", "0", "4711\t12\t1");
  EXPECT_TRUE(init.namespace_init);
  EXPECT_FALSE(is_crash(SIGABRT, SI_USER, init));
  EXPECT_TRUE(is_crash(SIGSEGV, SEGV_MAPERR, init));
  EXPECT_FALSE(actions("0", "0", "4711\t21").namespace_init);
  // The machine's own init would be one number.
  EXPECT_FALSE(actions("0", "0", "1").namespace_init);
}

}  // namespace
}  // namespace doppel
