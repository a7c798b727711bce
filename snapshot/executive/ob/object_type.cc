// SPDX-License-Identifier: Apache-2.0
//
// The table of types, in the order of ObjectType. Rights: winnt.h and the pages on access rights;
// which attributes a process or thread refuses: psmgr.c of ReactOS.
#include <array>
#include <cstddef>

#include <snapshot/executive/ob/object_type.h>

namespace doppel {
namespace {

constexpr AccessMask kRead = access::read_control;
constexpr std::uint32_t kProcessRefuses =
    object_attribute::permanent | object_attribute::exclusive | object_attribute::open_if;

constexpr ObjectTypeInfo process_type() {
  namespace pa = process_access;
  return {.name = "Process",
          .valid = pa::all,
          .generic_read = pa::query_information | pa::vm_read | kRead,
          .generic_write = pa::create_process | pa::create_thread | pa::vm_operation |
                           pa::vm_write | pa::dup_handle | pa::terminate | pa::set_quota |
                           pa::set_information | pa::suspend_resume | kRead,
          .generic_execute = access::synchronize | kRead | pa::query_limited,
          .invalid_attributes = kProcessRefuses,
          .waitable = true,
          .no_read_up = true};
}

constexpr ObjectTypeInfo thread_type() {
  namespace ta = thread_access;
  return {.name = "Thread",
          .valid = ta::all,
          .generic_read = ta::get_context | ta::query_information | kRead,
          .generic_write = ta::terminate | ta::suspend_resume | ta::alert | ta::set_information |
                           ta::set_context | ta::set_limited | kRead,
          .generic_execute = access::synchronize | ta::query_limited | kRead,
          .invalid_attributes = kProcessRefuses,
          .waitable = true,
          .no_read_up = true};
}

constexpr ObjectTypeInfo plain(std::string_view name, AccessMask valid, AccessMask read,
                               AccessMask write, AccessMask execute, bool waitable) {
  return {.name = name,
          .valid = valid,
          .generic_read = read | kRead,
          .generic_write = write | kRead,
          .generic_execute = execute | kRead,
          .invalid_attributes = 0,
          .waitable = waitable,
          .no_read_up = false};
}

constexpr std::array<ObjectTypeInfo, 11> kTypes = {
    process_type(),
    thread_type(),
    plain("Section", section_access::all, 0x5, 0x2, 0x8, false),
    plain("File", file_access::all, 0x120089, 0x120116, 0x1200A0, false),
    plain("Event", 0x1F0003, 0x1, 0x2, access::synchronize, true),
    plain("Mutant", 0x1F0001, 0x1, 0x0, access::synchronize, true),
    plain("Token", 0xF01FF, 0x8, 0x20, 0x0, false),
    plain("Directory", 0xF000F, 0x3, 0x4, 0x3, false),
    plain("SymbolicLink", 0xF0001, 0x1, 0x0, 0x1, false),
    plain("CrashPort", 0x1F0001, 0x1, 0x1, access::synchronize, false),
    plain("Device", file_access::all, 0x120089, 0x120116, 0x1200A0, false),
};

}  // namespace

const ObjectTypeInfo& type_info(ObjectType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

AccessMask map_generic(ObjectType type, AccessMask mask) {
  const ObjectTypeInfo& info = type_info(type);
  AccessMask mapped = mask & ~(access::generic_all | access::generic_read | access::generic_write |
                               access::generic_execute);
  if ((mask & access::generic_all) != 0) mapped |= info.valid;
  if ((mask & access::generic_read) != 0) mapped |= info.generic_read;
  if ((mask & access::generic_write) != 0) mapped |= info.generic_write;
  if ((mask & access::generic_execute) != 0) mapped |= info.generic_execute;
  if (type == ObjectType::process) {
    if ((mapped & process_access::query_information) != 0) mapped |= process_access::query_limited;
    if ((mapped & process_access::set_information) != 0) mapped |= process_access::set_limited;
  }
  if (type == ObjectType::thread) {
    if ((mapped & thread_access::query_information) != 0) mapped |= thread_access::query_limited;
    if ((mapped & thread_access::set_information) != 0) mapped |= thread_access::set_limited;
  }
  return mapped;
}

}  // namespace doppel
