// SPDX-License-Identifier: Apache-2.0
//
//   MINIDUMP_EXCEPTION_STREAM, 168 bytes: thread id, pad, record (152: code, flags, 0, address,
//                                         n parameters, pad, 15 parameters), context {size, rva}
//
// Of a signal: code is its number, flags si_code, as Breakpad writes it. Debuggers take the
// thread's registers from here, so they are written again. A dump on request has no such stream.
#include <algorithm>

#include <dumpwriter/minidump/context_amd64.h>
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

void add_exception(const Facts& facts, MinidumpBuilder& builder) {
  if (!facts.image.fault) return;
  const Fault& fault = *facts.image.fault;
  std::uint32_t id = static_cast<std::uint32_t>(fault.thread);
  Location context;
  for (const Thread& thread : facts.image.threads) {
    if (thread.id != fault.thread) continue;
    id = facts.thread_id(thread);
    context = builder.put(make_context(fault.registers ? *fault.registers : thread.registers), 16);
  }
  const std::size_t parameters = std::min(fault.parameters.size(), kMaxExceptionParameters);
  RecordWriter body;
  body.u32(id).u32(0);
  body.u32(fault.number).u32(static_cast<std::uint32_t>(fault.code)).u64(0);
  body.u64(fault.address.value).u32(static_cast<std::uint32_t>(parameters)).u32(0);
  for (std::size_t i = 0; i < kMaxExceptionParameters; ++i) {
    body.u64(i < parameters ? fault.parameters[i] : 0);
  }
  body.u32(context.size).u32(context.rva);
  builder.add_stream(stream_type::kException, body);
}

}  // namespace doppel::minidump
