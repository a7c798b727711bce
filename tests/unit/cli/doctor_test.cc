// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cli/render/doctor.h>

namespace doppel {
namespace {

Diagnosis sample() {
  Diagnosis diagnosis;
  diagnosis.pid = 4711;
  diagnosis.comm = "redis-server";
  diagnosis.executable = "/usr/bin/redis-server";
  diagnosis.engine = "clone";
  diagnosis.predicted_pause = std::chrono::microseconds(14'000);
  diagnosis.threads = 17;
  diagnosis.mappings = 345;
  diagnosis.resident = 1ull << 30;
  return diagnosis;
}

TEST(doctor, nothing_in_the_way) {
  EXPECT_EQ(diagnosis_text(sample(), Style{false}),
            "redis-server (4711): would be captured by clone, with a pause of about 14.0 ms\n"
            "  1.00 GiB resident, 345 mappings, 17 threads\n"
            "  ok    nothing in the way\n");
}

TEST(doctor, each_gate_with_mark_why_and_remedy) {
  Diagnosis diagnosis = sample();
  diagnosis.engine = "direct";
  diagnosis.predicted_pause.reset();
  diagnosis.exit = ExitCode::with_losses;
  diagnosis.gates = {
      {.id = GateId::seccomp,
       .severity = Severity::forbids_injection,
       .what = "no clone can be injected",
       .why = "seccomp filter",
       .remedy = "run as root"},
      {.id = GateId::dont_fork, .severity = Severity::loses, .what = "a part will be missing"},
      {.id = GateId::swapped, .severity = Severity::note, .what = "some is in swap\x1b[2J"}};
  EXPECT_EQ(diagnosis_text(diagnosis, Style{false}),
            "redis-server (4711): would be read directly while it runs, not of one instant\n"
            "  1.00 GiB resident, 345 mappings, 17 threads\n"
            "  warn  no clone can be injected (seccomp filter)\n"
            "        -> run as root\n"
            "  lose  a part will be missing\n"
            "  note  some is in swap\\x1b[2J\n");
}

TEST(doctor, a_refusal) {
  Diagnosis diagnosis;
  diagnosis.pid = 4711;
  diagnosis.exit = ExitCode::no_such_process;
  diagnosis.gates = {
      {.id = GateId::no_process, .severity = Severity::forbids, .what = "no process 4711"}};
  EXPECT_EQ(diagnosis_text(diagnosis, Style{false}),
            "process 4711: cannot be captured\n"
            "  STOP  no process 4711\n");
}

TEST(doctor, json_carries_all_of_it) {
  Diagnosis diagnosis = sample();
  diagnosis.gates = {{.id = GateId::dont_fork,
                      .severity = Severity::loses,
                      .what = "w",
                      .why = "y",
                      .remedy = "r"}};
  diagnosis.exit = ExitCode::with_losses;
  auto object = nlohmann::json::parse(diagnosis_json(diagnosis));
  EXPECT_EQ(object.at("schema"), 1);
  EXPECT_EQ(object.at("pid"), 4711);
  EXPECT_EQ(object.at("exit"), 3);
  EXPECT_EQ(object.at("engine"), "clone");
  EXPECT_EQ(object.at("predicted_pause_us"), 14'000);
  EXPECT_EQ(object.at("threads"), 17);
  EXPECT_EQ(object.at("gates").at(0).at("gate"), "dont_fork");
  EXPECT_EQ(object.at("gates").at(0).at("severity"), "loses");
  EXPECT_EQ(object.at("gates").at(0).at("why"), "y");
  EXPECT_EQ(object.at("gates").at(0).at("remedy"), "r");
  diagnosis.engine.clear();
  diagnosis.predicted_pause.reset();
  object = nlohmann::json::parse(diagnosis_json(diagnosis));
  EXPECT_EQ(object.at("engine"), nullptr);
  EXPECT_EQ(object.at("predicted_pause_us"), nullptr);
}

}  // namespace
}  // namespace doppel
