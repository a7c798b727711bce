// SPDX-License-Identifier: Apache-2.0
//
// Raising exceptions and answering crashes.
#include <algorithm>
#include <cstring>

#include <snapshot/executive/ke/exception.h>
#include <snapshot/executive/ke/wait.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ps/process_exit.h>
#include <snapshot/executive/ps/teb.h>

namespace doppel {
namespace {

constexpr std::uint64_t kRecordAt = 0x4F0, kFrameSize = 0x590;  ///< as KiUserExceptionDispatcher's

bool call_dispatcher(NtThread& thread, const ExceptionRecord& record) {
  Process& process = *thread.process;
  if (process.exception_dispatcher == 0) return false;
  GuestRegisters& registers = thread.context.registers;
  const std::uint64_t frame = (registers.general[kRsp] - kFrameSize) & ~std::uint64_t{15};
  ContextBytes context{};
  store_context(thread.context, context_part::all, context);
  const auto bytes = store_record(record);
  if (!poke(*process.space, frame, context.data(), context.size()) ||
      !poke(*process.space, frame + kRecordAt, bytes.data(), bytes.size()))
    return false;
  registers.general[kRcx] = frame + kRecordAt;
  registers.general[kRdx] = frame;
  registers.general[kRsp] = frame;
  registers.rip = process.exception_dispatcher;
  return true;
}

}  // namespace

std::array<std::byte, kExceptionRecordSize> store_record(const ExceptionRecord& record) {
  std::array<std::byte, kExceptionRecordSize> bytes{};
  std::memcpy(bytes.data(), &record.code.value, 4);
  std::memcpy(bytes.data() + 4, &record.flags, 4);
  std::memcpy(bytes.data() + 16, &record.address, 8);
  std::memcpy(bytes.data() + 24, &record.parameter_count, 4);
  std::memcpy(bytes.data() + 32, record.parameters.data(), sizeof record.parameters);
  return bytes;
}

ExceptionRecord load_record(std::span<const std::byte, kExceptionRecordSize> bytes) {
  ExceptionRecord record;
  std::memcpy(&record.code.value, bytes.data(), 4);
  std::memcpy(&record.flags, bytes.data() + 4, 4);
  std::memcpy(&record.address, bytes.data() + 16, 8);
  std::memcpy(&record.parameter_count, bytes.data() + 24, 4);
  record.parameter_count = std::min<std::uint32_t>(record.parameter_count, 15);
  std::memcpy(record.parameters.data(), bytes.data() + 32, sizeof record.parameters);
  return record;
}

void raise_exception(Executive& executive, NtThread& thread, const ExceptionRecord& record,
                     bool first_chance) {
  executive.stepper().mix(record.code.value);
  if (first_chance && call_dispatcher(thread, record)) return;
  const ObjectRef<CrashPort> port =
      thread.process->crash_port ? thread.process->crash_port : executive.system_crash_port;
  if (!port) {
    end_process(*thread.process, record.code);
    return;
  }
  const std::uint64_t sequence = executive.next_crash_sequence++;
  port->queue.push_back({.sequence = sequence,
                         .process = thread.process->id,
                         .thread = thread.id,
                         .record = record,
                         .context = thread.context});
  port->waiting.push_back(
      {.sequence = sequence, .thread = ObjectRef<NtThread>(&thread), .record = record});
  ThreadWait wait;
  wait.kind = WaitKind::crash_port;
  wait.object = ObjectRef<Object>(port.get());
  begin_wait(executive, thread, std::move(wait));
}

NtStatus reply_to_crash(Executive& executive, CrashPort& port, std::uint64_t sequence,
                        NtStatus answer, const NtContext* context) {
  const auto found = std::ranges::find(port.waiting, sequence, &CrashPort::Waiting::sequence);
  if (found == port.waiting.end()) return status::invalid_parameter;
  const CrashPort::Waiting crashed = *found;
  port.waiting.erase(found);
  std::erase_if(port.queue, [&](const CrashMessage& m) { return m.sequence == sequence; });
  NtThread& thread = *crashed.thread;
  if (thread.terminated()) return status::success;
  if (answer != status::dbg_exception_handled) {
    end_process(*thread.process, crashed.record.code);
    return status::success;
  }
  const GuestRegisters before = thread.context.registers;
  end_wait(executive, thread, answer);
  thread.context.registers = before;  // an exception returns no status
  if (context != nullptr) {
    const std::uint64_t teb = before.gs_base;
    thread.context = *context;
    thread.context.registers.gs_base = teb;
  }
  return status::success;
}

void CrashPort::closing(const HandleClose& close) {
  if (close.system_handles != 1) return;
  const ObjectRef<CrashPort> self(this);
  if (executive.system_crash_port.get() == this) executive.system_crash_port = {};
  while (!waiting.empty()) {
    [[maybe_unused]] const NtStatus answered = reply_to_crash(
        executive, *this, waiting.front().sequence, status::dbg_exception_not_handled, nullptr);
  }
}

}  // namespace doppel
