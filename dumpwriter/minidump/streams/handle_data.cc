// SPDX-License-Identifier: Apache-2.0
//
//   u32 16, u32 32, u32 n, u32 0, n * MINIDUMP_HANDLE_DESCRIPTOR (32 bytes): handle, rva of the
//                  type's name, rva of the object's name, attributes, access, handles, pointers
//
// Of a file descriptor: kind and target as names, the open flags as attributes.
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

void add_handle_data(const Facts& facts, MinidumpBuilder& builder) {
  const std::vector<Handle>& handles = facts.image.handles;
  if (handles.empty()) return;
  const auto name = [&](const std::string& text) {
    return text.empty() ? std::uint32_t{0} : builder.put_string(text);
  };
  RecordWriter body;
  body.u32(16).u32(32).u32(static_cast<std::uint32_t>(handles.size())).u32(0);
  for (const Handle& handle : handles) {
    body.u64(handle.number).u32(name(handle.kind)).u32(name(handle.target));
    if (handle.windows) {
      const WindowsHandle& nt = *handle.windows;
      body.u32(nt.attributes).u32(nt.access).u32(nt.handle_count).u32(nt.pointer_count);
    } else {
      body.u32(static_cast<std::uint32_t>(handle.flags)).zeros(12);
    }
  }
  builder.add_stream(stream_type::kHandleData, body);
}

}  // namespace doppel::minidump
