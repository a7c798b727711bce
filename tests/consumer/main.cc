// SPDX-License-Identifier: Apache-2.0
//
// A consumer of the package, the same for all three ways to get it: asks the back end for a process
// that cannot be, makes a small process up, and writes its core into memory.
#include <iostream>
#include <limits>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/sink/buffer_sink.h>
#include <snapshot/linux/linux_backend.h>
#include <snapshot/support/error_text.h>
#include <snapshot/support/version.h>

namespace {

/// Every byte is seven.
class Sevens : public doppel::Memory {
 public:
  doppel::Result<std::size_t> read(doppel::Address, std::span<std::byte> to) const override {
    std::fill(to.begin(), to.end(), std::byte{7});
    return to.size();
  }
};

doppel::Snapshot make_up() {
  doppel::Snapshot snapshot;
  snapshot.image.process.pid = 1;
  snapshot.image.process.comm = "nobody";
  snapshot.image.threads.push_back({.id = 1, .namespace_id = 1, .name = "nobody"});
  snapshot.image.regions.push_back(
      {.range = {doppel::Address{0x10000}, 0x4000}, .access = {.read = true, .write = true}});
  snapshot.memory = std::make_unique<Sevens>();
  return snapshot;
}

doppel::Result<std::size_t> write_core(bool compress) {
  doppel::Snapshot snapshot = make_up();
  const doppel::DumpFormat& format = *doppel::all_formats().front();
  const doppel::Selection selection =
      DOPPEL_TRY(doppel::select(snapshot.image, *snapshot.memory, {.filter = 0x1ff}));
  doppel::DumpPlan plan = DOPPEL_TRY(format.plan(snapshot.image, selection));
  doppel::WriteJob job = doppel::WriteJob::start(
      std::move(snapshot), std::move(plan),
      std::make_unique<doppel::BufferSink>(std::make_shared<doppel::BufferSink::Contents>()),
      {.compress = compress});
  const doppel::WriteReport report = DOPPEL_TRY(std::move(job).wait());
  return report.file_bytes;
}

}  // namespace

int main() {
  const auto nobody = doppel::LinuxBackend().capture({.target = std::numeric_limits<int>::max()});
  if (nobody || nobody.error().code != doppel::Errc::gone) {
    std::cerr << "a process that cannot be was captured\n";
    return 1;
  }
  const auto plain = write_core(false);
  const auto packed = write_core(true);
  if (!plain || !packed) {
    std::cerr << doppel::error_text(plain ? packed.error() : plain.error()) << '\n';
    return 1;
  }
  if (*plain < 0x4000 || *packed >= *plain) {
    std::cerr << "sizes: " << *plain << " plain, " << *packed << " compressed\n";
    return 1;
  }
  std::cout << "doppel " << doppel::kVersion << ": " << *plain << " bytes, " << *packed
            << " compressed\n";
  return 0;
}
