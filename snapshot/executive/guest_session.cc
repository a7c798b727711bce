// SPDX-License-Identifier: Apache-2.0
#include <cassert>
#include <span>
#include <utility>

#include <snapshot/executive/guest_session.h>
#include <snapshot/executive/native/nt_records.h>
#include <snapshot/executive/win32/create_process.h>

namespace doppel {

GuestSession::GuestSession(GuestSessionOptions options)
    : options_(std::move(options)),
      executive_(options_.executive, options_.faults),
      path_("C:\\" + options_.program),
      service_(std::make_unique<HostActor>(executive_, "crash service", system_token())),
      supervisor_(std::make_unique<HostActor>(executive_, "supervisor")) {
  executive_.files().install(options_.program, options_.image);
}

GuestSession::~GuestSession() {
  // The executive goes after its actors.
  supervisor_.reset();
  service_.reset();
}

NtStatus GuestSession::listen() {
  if (port_ != 0) return status::success;
  NtStatus status = service_->nt().create_crash_port(port_, access::maximum_allowed, {});
  if (!status.succeeded()) return status;
  status = service_->nt().set_crash_port(0, port_);
  return status;
}

NtStatus GuestSession::launch(std::uint32_t& process) {
  NtStatus status = listen();
  if (!status.succeeded()) return status;
  CreateProcessRequest request;
  request.application = path_;
  std::string line = quote_argument(path_);
  for (const std::string& argument : options_.arguments) line += ' ' + quote_argument(argument);
  request.command_line = std::move(line);
  request.environment = options_.environment;
  ProcessInformation made;
  Win32 win32(supervisor_->nt());
  (void)create_process(win32, request, made, &status);
  if (!status.succeeded()) return status;
  if (child_ != 0) (void)supervisor_->nt().close(child_);
  child_ = made.process;
  process = child_id_ = made.process_id;
  return supervisor_->nt().close(made.thread);
}

GuestEnd GuestSession::run(std::uint64_t max_steps) {
  assert(child_ != 0);
  const Process* const process = executive_.find_process(child_id_);
  const CrashPort* const port = executive_.system_crash_port.get();
  assert(process != nullptr && port != nullptr);
  const auto ended = [&] { return process->signalled || !port->queue.empty(); };
  switch (executive_.stepper().run_until(ended, max_steps)) {
    case StepOutcome::progress:
      break;
    case StepOutcome::idle:
      return GuestEnd::idle;
    case StepOutcome::deadlock:
      return GuestEnd::deadlock;
    case StepOutcome::max_steps:
      return GuestEnd::max_steps;
  }
  if (service_->nt().receive_crash(port_, crash_) == status::success) return GuestEnd::crashed;
  return GuestEnd::exited;
}

NtStatus GuestSession::exit_status() {
  ProcessBasicInformation basic;
  std::uint32_t length = 0;
  const NtStatus status = supervisor_->nt().query_information_process(
      child_, 0, std::as_writable_bytes(std::span(&basic, 1)), length);
  return status.succeeded() ? NtStatus{basic.exit_status} : status;
}

NtStatus GuestSession::dismiss() {
  return service_->nt().reply_crash(port_, crash_.sequence, status::dbg_exception_not_handled);
}

}  // namespace doppel
