// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <snapshot/executive/native/dispatch.h>
#include <snapshot/executive/native/service_call.h>

namespace doppel {
namespace {

constexpr std::size_t kServiceNumbers = 0x110;
constexpr std::uint64_t kFirstStackArgument = 0x28;

using ServiceTable = std::array<const Service*, kServiceNumbers>;

const ServiceTable& table() {
  static const ServiceTable kTable = [] {
    ServiceTable made{};
    for (const std::span<const Service> topic :
         {process_services(), thread_services(), memory_services(), object_services(),
          file_services()}) {
      for (const Service& service : topic) made.at(service.number) = &service;
    }
    return made;
  }();
  return kTable;
}

const Service* find(std::uint32_t number) {
  return number < kServiceNumbers ? table()[number] : nullptr;
}

/// Serves it; `keeps` tells that the registers are loaded already.
NtStatus serve(Executive& executive, NtThread& thread, std::uint32_t number,
               const ServiceArguments& arguments, bool& keeps) {
  const std::uint64_t told = executive.traced();
  TraceEvent event{.step = executive.stepper().steps(),
                   .process = thread.process->id,
                   .thread = thread.id,
                   .call = "unknown service",
                   .status = status::invalid_system_service};
  const Service* const service = find(number);
  if (service != nullptr) event.call = service->name;
  if (service != nullptr && executive.options().profile >= service->since) {
    ServiceCall call{
        .executive = executive,
        .thread = thread,
        .nt = NtApi(executive,
                    {.process = thread.process.get(), .thread = &thread, .mode = CallerMode::user}),
        .memory = GuestArguments(*thread.process->space, thread.teb),
        .arguments = arguments};
    event.status = service->serve(call);
    keeps = call.keeps_registers;
  }
  // A typed call tells of itself; what was refused before it, or has none, is told here.
  if (executive.traced() == told) executive.trace(event);
  return event.status;
}

}  // namespace

NtStatus dispatch(Executive& executive, NtThread& thread, std::uint32_t service,
                  const ServiceArguments& arguments) {
  bool keeps = false;
  return serve(executive, thread, service, arguments, keeps);
}

void system_service(Executive& executive, NtThread& thread) {
  GuestRegisters& registers = thread.context.registers;
  const auto number = static_cast<std::uint32_t>(registers.general[kRax]);
  ServiceArguments arguments{registers.general[kR10], registers.general[kRdx],
                             registers.general[kR8], registers.general[kR9]};
  // A service takes what it needs; arguments beyond the stack's end read as zero.
  GuestArguments memory(*thread.process->space, thread.teb);
  for (std::size_t i = 4; i < arguments.size(); ++i) {
    const std::uint64_t at = registers.general[kRsp] + kFirstStackArgument + 8 * (i - 4);
    if (!memory.get(at, arguments[i])) arguments[i] = 0;
  }
  bool keeps = false;
  const NtStatus answer = serve(executive, thread, number, arguments, keeps);
  // A thread that waits gets its answer when it is woken.
  if (!keeps && answer != status::pending) registers.general[kRax] = answer.value;
}

std::string_view service_name(std::uint32_t service) {
  const Service* const found = find(service);
  return found != nullptr ? found->name : std::string_view();
}

}  // namespace doppel
