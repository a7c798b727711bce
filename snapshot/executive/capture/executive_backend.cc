// SPDX-License-Identifier: Apache-2.0
//
// The order of calls is that of executive.md 9 and 10. Between two steps the target may end and a
// second thread of it may crash: the fault plan decides, so that tests see every such moment.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include <snapshot/executive/capture/executive_backend.h>
#include <snapshot/executive/capture/process_description.h>
#include <snapshot/executive/executive.h>
#include <snapshot/executive/ke/exception.h>
#include <snapshot/executive/native/process_flags.h>
#include <snapshot/executive/ps/process_exit.h>

namespace doppel {
namespace {

namespace pa = process_access;

std::unexpected<Error> fail_nt(NtStatus status, const char* step, std::int32_t target) {
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "%08X", status.value);
  const std::string subject = std::to_string(target) + ": status " + digits.data();
  if (status == status::invalid_cid || status == status::process_is_terminating)
    return fail(Errc::gone, step, subject);
  if (status == status::access_denied) return fail(Errc::denied, step, subject);
  if (status == status::commitment_limit || status == status::no_memory ||
      status == status::insufficient_resources)
    return fail(Errc::limit, step, subject);
  return fail(Errc::os, step, subject);
}

/// What the world does to a target between two steps of ours.
void let_things_happen(NtApi& nt, std::int32_t target) {
  Executive& executive = nt.executive();
  Process* const process = executive.find_process(static_cast<std::uint32_t>(target));
  if (executive.faults().fault(FaultSite::target_exit) && process != nullptr && !process->exiting)
    end_process(*process, status::unsuccessful);
  if (!executive.faults().fault(FaultSite::crash_second) || process == nullptr || process->exiting)
    return;
  for (const ObjectRef<NtThread>& each : process->threads) {
    if (!each->runnable()) continue;
    const ObjectRef<NtThread> thread = each;
    raise_exception(executive, *thread,
                    {.code = status::access_violation,
                     .address = thread->context.registers.rip,
                     .parameter_count = 2},
                    false);
    return;
  }
}

/// The target stands still as long as this lives.
class Suspension {
 public:
  Suspension(NtApi& nt, HandleValue process) : nt_(nt), process_(process) {}

  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  ~Suspension() { end(); }

  void end() {
    if (process_ != 0) std::ignore = nt_.resume_process(process_);
    process_ = 0;
  }

 private:
  NtApi& nt_;
  HandleValue process_;
};

/// Guard pages, and pages that can only be executed: bytes that a clone may show. The original is
/// never touched (executive.md 10.3).
void open_up(NtApi& nt, HandleValue clone, const std::vector<MemoryInformation>& map) {
  for (const MemoryInformation& run : map) {
    const std::uint32_t base_protect = run.protect & kBaseProtections;
    if (run.state != mem::commit || base_protect == page::noaccess) continue;
    if ((run.protect & page::guard) == 0 && base_protect != page::execute) continue;
    std::uint64_t base = run.base;
    std::uint64_t size = run.size;
    std::uint32_t old = 0;
    // A view that the clone lacks refuses; it is omitted.
    std::ignore = nt.protect_virtual_memory(clone, base, size, page::readonly, old);
  }
}

/// Shared memory as it is now, into `memory`.
void keep_shared(const ProcessImage& image, NtMemory& memory) {
  for (const Region& region : image.regions) {
    if (region.sharing != Sharing::shared || !region.access.read) continue;
    std::vector<std::byte> bytes(region.range.size);
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto got =
          memory.read({region.range.begin.value + done}, std::span(bytes).subspan(done));
      if (!got) break;
      done += *got;
    }
    bytes.resize(done);
    if (done != 0) memory.keep(region.range.begin, std::move(bytes));
  }
}

Fault fault_of(const CrashMessage& crash) {
  Fault fault;
  fault.thread = static_cast<std::int32_t>(crash.thread);
  fault.number = crash.record.code.value;
  fault.code = static_cast<std::int32_t>(crash.record.flags);
  fault.address = {crash.record.address};
  const std::size_t count =
      std::min<std::size_t>(crash.record.parameter_count, crash.record.parameters.size());
  fault.parameters.assign(crash.record.parameters.begin(),
                          crash.record.parameters.begin() + static_cast<std::ptrdiff_t>(count));
  fault.registers = cpu_context(crash.context);
  return fault;
}

}  // namespace

Result<Snapshot> ExecutiveBackend::capture(const CaptureRequest& request) {
  const bool direct = request.engine == Engine::direct;
  const CrashMessage* const crash =
      crash_ && static_cast<std::int32_t>(crash_->process) == request.target ? &*crash_ : nullptr;
  const auto between = [&]() -> bool {
    let_things_happen(nt_, request.target);
    return !request.stop.stop_requested();
  };
  const auto cancelled = [&] {
    return fail(Errc::cancelled, "capture", std::to_string(request.target));
  };
  if (request.stop.stop_requested()) return cancelled();

  // Least rights: reading the original is not among them, cloning is.
  const ClientId id{.process = static_cast<std::uint64_t>(request.target), .thread = 0};
  const AccessMask rights =
      pa::suspend_resume | pa::query_information | (direct ? pa::vm_read : pa::create_process);
  HandleValue value = 0;
  const NtStatus opened = nt_.open_process(value, rights, {}, &id);
  if (!opened.succeeded()) return fail_nt(opened, "open process", request.target);
  OwnedHandle target(nt_, value);
  if (!between()) return cancelled();

  // Stop.
  Snapshot snapshot;
  ProcessImage& image = snapshot.image;
  const NtStatus suspended = nt_.suspend_process(target.get());
  if (!suspended.succeeded()) return fail_nt(suspended, "suspend process", request.target);
  Suspension suspension(nt_, target.get());
  if (!between()) return cancelled();
  const NtStatus threads = describe_threads(nt_, target.get(), 1, crash, image);
  if (!threads.succeeded()) return fail_nt(threads, "list threads", request.target);
  if (!between()) return cancelled();
  const NtStatus handles = describe_handles(nt_, target.get(), image);
  if (!handles.succeeded()) return fail_nt(handles, "list handles", request.target);
  const std::vector<MemoryInformation> map = memory_map(nt_, target.get());
  if (!between()) return cancelled();

  // Clone: no section, no handles.
  std::unique_ptr<NtMemory> memory;
  std::uint64_t clone_id = 0;
  if (direct) {
    memory = std::make_unique<NtMemory>(nt_, std::move(target), NtMemory::Holds::original, access_);
  } else {
    const std::uint32_t flags = inherit_handles_ ? process_flag::inherit_handles : 0;
    const NtStatus cloned = nt_.create_process_ex(value, pa::all, {}, target.get(), flags, 0, 0, 0);
    if (!cloned.succeeded()) return fail_nt(cloned, "clone process", request.target);
    memory =
        std::make_unique<NtMemory>(nt_, OwnedHandle(nt_, value), NtMemory::Holds::clone, access_);
    const auto basic = query_process<ProcessBasicInformation>(nt_, memory->process(), 0);
    if (basic) clone_id = basic->id;
  }
  const HandleValue held = memory->process();
  describe_regions(nt_, direct ? held : target.get(), held, map, request.shared, direct, image);
  if (request.shared == SharedMemory::copy) keep_shared(image, *memory);
  if (!between()) return cancelled();
  suspension.end();

  // Describe. The target runs again.
  if (!direct) open_up(nt_, held, map);
  describe_modules(*memory, image);
  image.process.pid = request.target;
  image.process.namespace_pid = request.target;
  describe_process(nt_, direct ? held : target.get(), *memory, clone_id, image);
  image.process.engine = direct ? "direct" : "clone";
  image.process.consistency = direct ? "read while the process ran" : "instant";
  if (crash != nullptr) image.fault = fault_of(*crash);
  if (!between()) return cancelled();
  snapshot.memory = std::move(memory);
  return snapshot;
}

}  // namespace doppel
