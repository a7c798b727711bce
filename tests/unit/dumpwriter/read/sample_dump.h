// SPDX-License-Identifier: Apache-2.0
//
// A process with something of everything, and its dump as a file's bytes: what the reader's tests
// read, cut and damage.
#ifndef DOPPEL_TESTS_UNIT_DUMPWRITER_READ_SAMPLE_DUMP_H_
#define DOPPEL_TESTS_UNIT_DUMPWRITER_READ_SAMPLE_DUMP_H_

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/sink/buffer_sink.h>
#include <tests/support/fake_memory.h>
#include <tests/support/image_builder.h>
#include <tests/support/temp_dir.h>

namespace doppel::test {

inline constexpr std::uint64_t kHeap = 0x10000000;
inline constexpr std::uint64_t kHuge = 0x20000000;
inline constexpr std::uint64_t kLibrary = 0x7e0000000000;
inline constexpr std::uint64_t kStack = 0x7f0000000000;
inline constexpr std::uint64_t kMiB = 1 << 20;

inline std::vector<std::byte> noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = random() & 0xffff;
    std::memcpy(&bytes[i], &word, 8);
  }
  return bytes;
}

/// The heap: 1 MiB of data, an untouched page, a page that cannot be read, data; then 16 MiB never
/// touched, an unwritten library, and a stack.
struct Sample {
  const char* format = "elf";  ///< that written() writes
  ProcessImage image;
  std::vector<std::byte> heap = noise(kMiB, 1);
  std::vector<std::byte> stack = noise(0x4000, 2);

  Sample() {
    ImageBuilder builder;
    builder.region(anonymous_region(kHeap, kMiB + 0x3000, "[heap]"))
        .region(anonymous_region(kHuge, 16 * kMiB))
        .region(file_region(kLibrary, 0x8000, "/lib/a\xff\"b.so", 0x3000))
        .region(anonymous_region(kStack, 0x4000, "[stack]"))
        .thread(4711, kStack + 0x2000)
        .thread(4712, kStack + 0x3000)
        .thread(4713);
    image = builder.build();
    image.regions[0].traits = {.dont_fork = true, .accountable = true};
    image.regions[0].resident = kMiB;
    image.regions[2].deleted = true;
    image.regions[2].sharing = Sharing::shared;
    image.process.arguments = {"server", "a b", "", "\xfe\xff"};
    image.process.captured_at_ns = 1764041234567890123;
    image.process.timings = {.pause_us = 1,
                             .running_pause_us = 2,
                             .predicted_pause_us = 3,
                             .clone_us = 4,
                             .injection_us = 5};
    image.process.remarks = {"not permitted: one thing", "not possible: another"};
    image.process.signals_blocked = ~0ull;
    image.process.flags = 0x8000000000000001;
    image.process.state = 'R';
    image.process.nice = -5;
    Thread& second = image.threads[1];
    second.name = "wörker\x80";
    second.state = 'D';
    second.registers.xsave.assign(832, std::byte{7});
    second.registers.fxsave.clear();
    second.registers.io_bitmap.assign(100, std::byte{1});
    second.registers.shadow_stack_pointer = 0x7eff00000000;
    second.registers.general.r15 = ~0ull;
    second.registers.general.gs = 0x1234;
    second.signals_pending = 1ull << 63;
    Thread& third = image.threads[2];
    third.registers.complete = false;
    third.registers.fxsave.clear();
    third.siginfo.assign(128, std::byte{3});
    image.fault =
        Fault{.thread = 4712, .number = 11, .code = 1, .address = {0xdead}, .siginfo = {}};
    image.fault->siginfo.assign(128, std::byte{9});
    image.modules.push_back({.range = {{kLibrary}, 0x8000},
                             .path = "/lib/a\xff\"b.so",
                             .build_id = {std::byte{0xab}, std::byte{0xcd}}});
    image.handles.push_back({.number = 3,
                             .kind = "file",
                             .target = "/tmp/\xc3\x28",
                             .flags = 0x8000,
                             .position = ~0ull});
    image.verbatim = {{.name = "auxv", .bytes = noise(64, 3)},
                      {.name = "limits", .bytes = noise(40, 4)},
                      {.name = "maps", .bytes = {std::byte{'x'}, std::byte{'\n'}}}};
    image.omissions.push_back({.what = "handles", .range = {}, .why = "denied", .asked = false});
    image.torn.push_back({.range = {{kLibrary}, 0x1000}, .why = "shared"});
  }

  std::unique_ptr<FakeMemory> memory() const {
    auto memory = std::make_unique<FakeMemory>();
    memory->put(kHeap, kMiB, heap)
        .untouched(kHeap + kMiB, 0x1000)
        .unreadable(kHeap + kMiB + 0x1000, 0x1000)
        .fill(kHeap + kMiB + 0x2000, 0x1000, 5)
        .untouched(kHuge, 16 * kMiB)
        .fill(kLibrary, 0x8000, 6)
        .put(kStack, 0x4000, stack);
    return memory;
  }

  Result<Selection> selection() const {
    const std::unique_ptr<FakeMemory> bytes = memory();
    return select(image, *bytes);
  }

  /// `memory` in place of memory().
  Result<std::vector<std::byte>> written(WriteOptions options,
                                         std::unique_ptr<const Memory> other = nullptr) const {
    const Selection selected = DOPPEL_TRY(selection());
    DumpPlan plan = DOPPEL_TRY(find_format(format)->plan(image, selected));
    const auto contents = std::make_shared<BufferSink::Contents>();
    Snapshot snapshot;
    snapshot.image = image;
    snapshot.memory = other ? std::move(other) : memory();
    WriteJob job = WriteJob::start(std::move(snapshot), std::move(plan),
                                   std::make_unique<BufferSink>(contents), std::move(options));
    const WriteReport report = DOPPEL_TRY(std::move(job).wait());
    (void)report;
    return contents->bytes;
  }
};

inline std::string put_file(const TempDir& dir, std::span<const std::byte> bytes) {
  const std::string path = dir.file("dump");
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return path;
}

/// The texts that the reader adds are taken out, and all texts sorted: a core does not keep their
/// order.
inline ProcessImage comparable(ProcessImage image) {
  std::erase_if(image.verbatim, [](const Verbatim& each) {
    return each.name == "manifest" || each.name == "write_report";
  });
  std::sort(image.verbatim.begin(), image.verbatim.end(),
            [](const Verbatim& a, const Verbatim& b) { return a.name < b.name; });
  return image;
}

}  // namespace doppel::test

#endif  // DOPPEL_TESTS_UNIT_DUMPWRITER_READ_SAMPLE_DUMP_H_
