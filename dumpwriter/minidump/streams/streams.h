// SPDX-License-Identifier: Apache-2.0
//
// The streams of a minidump, one source file each, named as its function. Each adds its stream, or
// none where the image has nothing for it. They see values only; what they cannot say is not said.
#ifndef DOPPEL_DUMPWRITER_MINIDUMP_STREAMS_STREAMS_H_
#define DOPPEL_DUMPWRITER_MINIDUMP_STREAMS_STREAMS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include <dumpwriter/minidump/builder.h>
#include <dumpwriter/minidump/memory_layout.h>
#include <dumpwriter/plan/selection.h>
#include <snapshot/model/process_image.h>

namespace doppel::minidump {

/// What every stream is made from.
struct Facts {
  const ProcessImage& image;
  const Selection& selection;
  const MemoryLayout& memory;

  bool windows() const { return image.process.windows.has_value(); }

  /// The id under which the target itself knows the thread, as in its ELF core.
  std::uint32_t thread_id(const Thread& thread) const {
    return static_cast<std::uint32_t>(windows() ? thread.id : thread.namespace_id);
  }

  std::uint32_t process_id() const {
    return static_cast<std::uint32_t>(windows() ? image.process.pid : image.process.namespace_pid);
  }
};

void add_system_info(const Facts& facts, MinidumpBuilder& builder);       // 7
void add_misc_info(const Facts& facts, MinidumpBuilder& builder);         // 15
void add_thread_list(const Facts& facts, MinidumpBuilder& builder);       // 3
void add_thread_info_list(const Facts& facts, MinidumpBuilder& builder);  // 17, NT only
void add_thread_names(const Facts& facts, MinidumpBuilder& builder);      // 24
void add_exception(const Facts& facts, MinidumpBuilder& builder);         // 6, with a fault
void add_module_list(const Facts& facts, MinidumpBuilder& builder);       // 4
void add_memory_info_list(const Facts& facts, MinidumpBuilder& builder);  // 16
void add_handle_data(const Facts& facts, MinidumpBuilder& builder);       // 12
void add_comment(const Facts& facts, MinidumpBuilder& builder);           // 10
void add_linux_texts(const Facts& facts, MinidumpBuilder& builder);       // 0x4767...., Linux only
void add_soft_errors(const Facts& facts, MinidumpBuilder& builder);       // 0x4d7a0004
void add_doppel_facts(const Facts& facts, MinidumpBuilder& builder);      // ours
void add_memory_list(const Facts& facts, MinidumpBuilder& builder);       // 5, Linux only
void add_memory64_list(const Facts& facts, MinidumpBuilder& builder);     // 9

}  // namespace doppel::minidump

#endif  // DOPPEL_DUMPWRITER_MINIDUMP_STREAMS_STREAMS_H_
