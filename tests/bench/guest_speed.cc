// SPDX-License-Identifier: Apache-2.0
//
// How fast a compiled guest runs: `counter`, at -O0 (memory all the time) and at -O2 (registers);
// on the executive, with its page tables and scheduler, for which the goal is, and beside it on the
// guest CPU alone, in a memory without page tables.
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <snapshot/executive/cpu/cpu.h>
#include <snapshot/executive/guest_session.h>
#include <tests/bench/doppel_command.h>
#include <tests/bench/figures.h>
#include <tests/unit/snapshot/executive/cpu/flat_memory.h>

namespace doppel::bench {
namespace {

constexpr std::uint64_t kBase = 0x140000000, kStack = 0x200000, kStackSize = 0x10000;

template <typename T>
T number(const std::vector<char>& file, std::size_t at) {
  T value{};
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> file{std::istreambuf_iterator<char>(stream), {}};
  if (file.size() < 1024) die(path.c_str());
  return file;
}

/// Maps the image of the build's own linker at kBase; returns its entry point.
std::uint64_t load(const std::string& path, FlatMemory& memory) {
  const std::vector<char> file = bytes_of(path);
  const auto header = number<std::uint32_t>(file, 0x3c);
  const auto sections = number<std::uint16_t>(file, header + 6);
  std::size_t at = header + 24 + number<std::uint16_t>(file, header + 20);
  for (unsigned i = 0; i < sections; ++i, at += 40) {
    const auto size = number<std::uint32_t>(file, at + 8);
    const auto rva = number<std::uint32_t>(file, at + 12);
    const auto raw = std::min(size, number<std::uint32_t>(file, at + 16));
    const auto flags = number<std::uint32_t>(file, at + 36);
    memory.map(kBase + rva, size, (flags & 0x80000000) != 0, (flags & 0x20000000) != 0);
    memory.poke(kBase + rva,
                std::as_bytes(std::span(file.data() + number<std::uint32_t>(file, at + 20), raw)));
  }
  return kBase + number<std::uint32_t>(file, header + 24 + 16);
}

double cpu_alone(const std::string& path, std::uint64_t instructions) {
  FlatMemory memory;
  memory.map(kStack, kStackSize, true, false);
  GuestRegisters registers;
  registers.rip = load(path, memory);
  registers.general[kRsp] = kStack + kStackSize - 0x28;
  Cpu cpu;
  GuestException exception;
  const auto begin = Clock::now();
  for (std::uint64_t i = 0; i < instructions; ++i)
    if (cpu.step(registers, memory, exception) >= StepKind::syscall) die("the guest stopped");
  return static_cast<double>(instructions) / 1000 / milliseconds_since(begin);
}

double on_executive(const std::string& path, std::uint64_t instructions) {
  GuestSessionOptions options;
  options.program = "counter.exe";
  const std::vector<char> file = bytes_of(path);
  const auto view = std::as_bytes(std::span(file));
  options.image.assign(view.begin(), view.end());
  GuestSession session(std::move(options));
  std::uint32_t process = 0;
  if (!session.launch(process).succeeded()) die("the guest does not start");
  const auto begin = Clock::now();
  if (session.run(instructions) != GuestEnd::max_steps) die("the guest stopped");
  return static_cast<double>(instructions) / 1000 / milliseconds_since(begin);
}

int run(const Settings& settings) {
  const std::uint64_t instructions = settings.brief ? 100'000 : 20'000'000;
  for (const char* name : {"counter.exe", "counter-O2.exe"}) {
    const std::string path = std::string(DOPPEL_GUESTS_DIR "/") + name;
    std::vector<double> alone;
    std::vector<double> whole;
    for (int round = 0; round < (settings.brief ? 1 : 5); ++round) {
      alone.push_back(cpu_alone(path, instructions));
      whole.push_back(on_executive(path, instructions));
    }
    print({.id = "X1",
           .scene = std::string("executive, ") + name,
           .figure = "guest instructions per microsecond",
           .value = median(whole),
           .unit = "M/s",
           .goal = Goal::at_least,
           .limit = 5,
           .beside = text("guest CPU alone %.1f M/s", median(alone))});
  }
  return 0;
}

}  // namespace
}  // namespace doppel::bench

int main(int argc, char** argv) {
  return doppel::bench::run(doppel::bench::parse_settings(argc, argv));
}
