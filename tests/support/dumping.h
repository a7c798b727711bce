// SPDX-License-Identifier: Apache-2.0
//
// The whole way from a process to a file through the library, in one call, with a Sys that may
// fail.
#ifndef DOPPEL_TESTS_SUPPORT_DUMPING_H_
#define DOPPEL_TESTS_SUPPORT_DUMPING_H_

#include <memory>
#include <string>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/sink/file_sink.h>
#include <snapshot/linux/linux_backend.h>

namespace doppel {

struct DumpOptions {
  const char* format = "elf";
  bool compress = false;
  Engine engine = Engine::automatic;
  SharedMemory shared = SharedMemory::live;
  Sys* sys = &Sys::real();
};

/// Captures `pid` into the file `path`. Returns the image that was dumped.
inline Result<ProcessImage> dump_to_file(pid_t pid, const std::string& path,
                                         const DumpOptions& options = {}) {
  auto sink = DOPPEL_TRY(FileSink::create(path, *options.sys));
  LinuxBackend backend{*options.sys};
  CaptureRequest request;
  request.target = pid;
  request.engine = options.engine;
  request.shared = options.shared;
  auto snapshot = DOPPEL_TRY(backend.capture(request));
  const auto selection = DOPPEL_TRY(select(snapshot.image, *snapshot.memory));
  ProcessImage image = snapshot.image;
  auto plan = DOPPEL_TRY(find_format(options.format)->plan(image, selection));
  WriteOptions writing;
  writing.compress = options.compress;
  writing.threads = 1;
  writing.sys = options.sys;
  auto job = WriteJob::start(std::move(snapshot), std::move(plan), std::move(sink), writing);
  DOPPEL_TRY(std::move(job).wait());
  return image;
}

}  // namespace doppel

#endif  // DOPPEL_TESTS_SUPPORT_DUMPING_H_
