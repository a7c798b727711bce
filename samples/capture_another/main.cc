// SPDX-License-Identifier: Apache-2.0
//
// The library in forty lines: capture a process, let it run on, write the dump meanwhile.
//
//   capture_another PID FILE
#include <cstdlib>
#include <iostream>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/sink/file_sink.h>
#include <snapshot/linux/linux_backend.h>
#include <snapshot/support/error_text.h>

using namespace doppel;

Result<> run(int pid, const std::string& path) {
  auto sink = DOPPEL_TRY(FileSink::create(path));  // fails early, before anything is stopped
  auto snapshot = DOPPEL_TRY(LinuxBackend().capture({.target = pid}));
  std::cout << "paused for " << snapshot.image.process.timings.pause_us << " us; it runs on\n";

  const DumpFormat& format = *all_formats().front();
  auto selection = DOPPEL_TRY(select(snapshot.image, *snapshot.memory));
  auto plan = DOPPEL_TRY(format.plan(snapshot.image, selection));
  auto job = WriteJob::start(std::move(snapshot), std::move(plan), std::move(sink));
  // From here on the dump needs nothing of the process: this is where a service would be restarted.
  while (!job.wait_for(std::chrono::milliseconds(100))) {
    const Progress progress = job.progress();
    std::cout << progress.done << " of " << progress.planned << " bytes\n";
  }
  auto report = DOPPEL_TRY(std::move(job).wait());
  std::cout << path << ": " << report.file_bytes << " bytes\n";
  return {};
}

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: capture_another PID FILE\n";
    return 2;
  }
  const Result<> done = run(std::atoi(argv[1]), argv[2]);
  if (!done) std::cerr << "capture_another: " << error_text(done.error()) << '\n';
  return done ? 0 : 1;
}
