// SPDX-License-Identifier: Apache-2.0
//
// Prints a line for each guest, optimisation and seed: how the run ended, its trace hash, and a
// hash of the minidump of its clone. Equal in every build, which `same_in_every_build` holds it to.
//
//   guest_runs DIRECTORY OF GUESTS
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/sink/buffer_sink.h>
#include <snapshot/executive/capture/executive_backend.h>
#include <snapshot/executive/guest_session.h>

namespace doppel {
namespace {

/// FNV-1a.
std::uint64_t hash_of(const std::vector<std::byte>& bytes) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const std::byte each : bytes)
    hash = (hash ^ std::to_integer<std::uint64_t>(each)) * 0x100000001B3;
  return hash;
}

/// 0 when it cannot be taken.
std::uint64_t dump_hash(GuestSession& session, std::uint32_t process, bool crashed) {
  ExecutiveBackend backend(session.service());
  if (crashed) backend.set_crash(session.crash());
  Result<Snapshot> snapshot = backend.capture({.target = static_cast<std::int32_t>(process)});
  if (!snapshot) return 0;
  const Result<Selection> selection = select(snapshot->image, *snapshot->memory);
  if (!selection) return 0;
  Result<DumpPlan> plan = find_format("minidump")->plan(snapshot->image, *selection);
  if (!plan) return 0;
  const auto dump = std::make_shared<BufferSink::Contents>();
  WriteJob job =
      WriteJob::start(std::move(*snapshot), std::move(*plan), std::make_unique<BufferSink>(dump),
                      {.compress = false, .threads = 1});
  return std::move(job).wait() ? hash_of(dump->bytes) : 0;
}

bool run(const std::string& directory, const std::string& program, std::uint64_t seed) {
  constexpr std::uint64_t kSteps = 50'000;
  std::ifstream file(directory + "/" + program, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto view = std::as_bytes(std::span(bytes));
  GuestSessionOptions options;
  options.executive.seed = seed;
  options.executive.schedule.policy = SchedulePolicy::seeded;
  options.program = program;
  options.image.assign(view.begin(), view.end());
  GuestSession session(std::move(options));
  std::uint32_t process = 0;
  if (!session.launch(process).succeeded()) return false;
  const GuestEnd end = session.run(kSteps);
  const std::uint64_t trace = session.executive().stepper().trace_hash();
  const std::uint64_t dump =
      end == GuestEnd::exited ? 0 : dump_hash(session, process, end == GuestEnd::crashed);
  std::printf("%-16s %016" PRIx64 " seed %" PRIu64 " end %d trace %016" PRIx64 " dump %016" PRIx64
              "\n",
              program.c_str(), hash_of({view.begin(), view.end()}), seed, static_cast<int>(end),
              trace, dump);
  return end == GuestEnd::exited || dump != 0;
}

}  // namespace
}  // namespace doppel

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  bool good = true;
  for (const char* name : {"counter", "gens", "holder", "forker", "argv", "mapper", "crash_av",
                           "crash_div", "crash_guard", "crash_stack"}) {
    for (const char* level : {".exe", "-O2.exe"}) {
      for (const std::uint64_t seed : {1, 2, 3})
        good = doppel::run(argv[1], std::string(name) + level, seed) && good;
    }
  }
  return good ? 0 : 1;
}
