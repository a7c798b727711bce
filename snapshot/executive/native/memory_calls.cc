// SPDX-License-Identifier: Apache-2.0
//
// Native calls on memory and sections: handles here, all else in mm. Order of checks: virtual.c and
// section.c of ReactOS, and the driver documentation.
#include <cstring>

#include <snapshot/executive/io/file_object.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/mm/section.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/query_result.h>
#include <snapshot/executive/ps/process_create.h>

namespace doppel {
namespace {

namespace pa = process_access;

/// MEMORY_BASIC_INFORMATION.
struct BasicRecord {
  std::uint64_t base = 0, allocation_base = 0;
  std::uint32_t allocation_protect = 0, pad0 = 0;
  std::uint64_t size = 0;
  std::uint32_t state = 0, protect = 0, type = 0, pad1 = 0;
};

static_assert(sizeof(BasicRecord) == 48);

/// MEMORY_WORKING_SET_EX_INFORMATION.
struct WorkingSetRecord {
  std::uint64_t address = 0, flags = 0;
};

std::uint64_t flags_of(const WorkingSetInformation& set) {
  return std::uint64_t{set.valid} | std::uint64_t{set.share_count & 7u} << 1 |
         std::uint64_t{set.win32_protect & 0x7FFu} << 4 | std::uint64_t{set.shared} << 15;
}

/// What a section of a file needs of the file's handle.
AccessMask file_right(std::uint32_t protect) {
  if (is_executable(protect)) return file_access::execute;
  if ((protect & page::readwrite) != 0) return file_access::read_data | file_access::write_data;
  return file_access::read_data;
}

AccessMask section_right(std::uint32_t protect) {
  if (is_executable(protect)) return section_access::map_execute;
  if ((protect & page::readwrite) != 0) return section_access::map_write;
  return section_access::map_read;
}

bool leaves_user_space(std::uint64_t address, std::uint64_t size) {
  return address + size < address || address + size > kUserEnd;
}

/// A process whose memory a call may still change.
NtStatus check_alive(const Process& process) {
  return process.exiting ? status::process_is_terminating : status::success;
}

}  // namespace

NtStatus NtApi::allocate_virtual_memory(HandleValue handle, std::uint64_t& base,
                                        std::uint64_t zero_bits, std::uint64_t& size,
                                        std::uint32_t type, std::uint32_t protect) {
  return told("NtAllocateVirtualMemory", [&]() -> NtStatus {
    if (zero_bits != 0) return status::invalid_parameter_3;
    const NtStatus valid = AddressSpace::check_allocate(base, size, type, protect);
    if (!valid.succeeded()) return valid;
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::vm_operation, process);
    if (!referenced.succeeded()) return referenced;
    const NtStatus alive = check_alive(*process);
    return alive.succeeded() ? process->space->allocate(base, size, type, protect) : alive;
  });
}

NtStatus NtApi::free_virtual_memory(HandleValue handle, std::uint64_t& base, std::uint64_t& size,
                                    std::uint32_t type) {
  return told("NtFreeVirtualMemory", [&]() -> NtStatus {
    const NtStatus valid = AddressSpace::check_free(base, size, type);
    if (!valid.succeeded()) return valid;
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::vm_operation, process);
    if (!referenced.succeeded()) return referenced;
    const NtStatus alive = check_alive(*process);
    return alive.succeeded() ? process->space->free(base, size, type) : alive;
  });
}

NtStatus NtApi::protect_virtual_memory(HandleValue handle, std::uint64_t& base, std::uint64_t& size,
                                       std::uint32_t protect, std::uint32_t& old) {
  return told("NtProtectVirtualMemory", [&]() -> NtStatus {
    const NtStatus valid = AddressSpace::check_protect(base, size, protect);
    if (!valid.succeeded()) return valid;
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::vm_operation, process);
    if (!referenced.succeeded()) return referenced;
    const NtStatus alive = check_alive(*process);
    return alive.succeeded() ? process->space->protect(base, size, protect, old) : alive;
  });
}

NtStatus NtApi::read_virtual_memory(HandleValue handle, std::uint64_t address,
                                    std::span<std::byte> to, std::size_t& done) {
  return told("NtReadVirtualMemory", [&]() -> NtStatus {
    done = 0;
    if (leaves_user_space(address, to.size())) return status::access_violation;
    if (to.empty()) return status::success;
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::vm_read, process);
    if (!referenced.succeeded()) return referenced;
    const NtStatus alive = check_alive(*process);
    return alive.succeeded() ? process->space->read(address, to, done) : alive;
  });
}

NtStatus NtApi::write_virtual_memory(HandleValue handle, std::uint64_t address,
                                     std::span<const std::byte> from, std::size_t& done) {
  return told("NtWriteVirtualMemory", [&]() -> NtStatus {
    done = 0;
    if (leaves_user_space(address, from.size())) return status::access_violation;
    if (from.empty()) return status::success;
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::vm_write, process);
    if (!referenced.succeeded()) return referenced;
    const NtStatus alive = check_alive(*process);
    return alive.succeeded() ? process->space->write(address, from, done) : alive;
  });
}

NtStatus NtApi::query_virtual_memory(HandleValue handle, std::uint64_t address,
                                     std::uint32_t information_class, std::span<std::byte> to,
                                     std::uint64_t& length) {
  return told("NtQueryVirtualMemory", [&]() -> NtStatus {
    if (information_class != 0 && information_class != 2 && information_class != 4)
      return status::invalid_info_class;
    if (address >= kUserEnd) return status::invalid_parameter;
    const std::size_t least = information_class == 0   ? sizeof(BasicRecord)
                              : information_class == 2 ? kUnicodeStringSize
                                                       : sizeof(WorkingSetRecord);
    if (to.size() < least) return status::info_length_mismatch;
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(handle, ObjectType::process, pa::query_information, process);
    if (!referenced.succeeded()) return referenced;
    if (process->vm_deleted) return status::process_is_terminating;
    if (information_class == 2) {
      const FileNode* node = nullptr;
      const NtStatus found = process->space->query(address, node);
      if (!found.succeeded()) return found;
      return answer_string("\\Device\\HarddiskVolume1\\" + node->name, to, length);
    }
    if (information_class == 4) {
      WorkingSetInformation set;
      const NtStatus found = process->space->query(address, set);
      if (!found.succeeded()) return found;
      return answer(WorkingSetRecord{.address = address, .flags = flags_of(set)}, to, length);
    }
    MemoryInformation found;
    const NtStatus queried = process->space->query(address, found);
    if (!queried.succeeded()) return queried;
    return answer(BasicRecord{.base = found.base,
                              .allocation_base = found.allocation_base,
                              .allocation_protect = found.allocation_protect,
                              .pad0 = 0,
                              .size = found.size,
                              .state = found.state,
                              .protect = found.protect,
                              .type = found.type,
                              .pad1 = 0},
                  to, length);
  });
}

NtStatus NtApi::create_section(HandleValue& handle, AccessMask desired,
                               const ObjectAttributes& object, std::uint64_t maximum_size,
                               std::uint32_t protect, std::uint32_t attributes,
                               HandleValue file_handle) {
  return told("NtCreateSection", [&]() -> NtStatus {
    const NtStatus valid =
        SectionFactory::check(maximum_size, protect, attributes, file_handle != 0);
    if (!valid.succeeded()) return valid;
    const NtStatus attributes_valid = check_attributes(ObjectType::section, object);
    if (!attributes_valid.succeeded()) return attributes_valid;
    ObjectRef<FileObject> file;
    if (file_handle != 0) {
      const NtStatus referenced =
          reference(file_handle, ObjectType::file, file_right(protect), file);
      if (!referenced.succeeded()) return referenced;
    }
    ObjectRef<Section> section;
    const NtStatus made = executive_.sections().create({.size = maximum_size,
                                                        .protect = protect,
                                                        .attributes = attributes,
                                                        .node = file ? file->node.get() : nullptr,
                                                        .file = ObjectRef<Object>(file.get())},
                                                       section);
    if (!made.succeeded()) return made;
    return insert_object(ObjectRef<Object>(section.get()), desired, object, handle);
  });
}

NtStatus NtApi::open_section(HandleValue& section, AccessMask desired,
                             const ObjectAttributes& object) {
  return told("NtOpenSection",
              [&] { return open_named(ObjectType::section, desired, object, section); });
}

NtStatus NtApi::query_section(HandleValue handle, std::uint32_t information_class,
                              std::span<std::byte> to, std::uint64_t& length) {
  return told("NtQuerySection", [&]() -> NtStatus {
    if (information_class != 1) return status::invalid_info_class;
    if (to.size() < sizeof(ImageInformation)) return status::info_length_mismatch;
    ObjectRef<Section> section;
    const NtStatus referenced =
        reference(handle, ObjectType::section, section_access::query, section);
    if (!referenced.succeeded()) return referenced;
    if (!section->is_image()) return status::section_not_image;
    return answer(image_information(*section, section->image().base), to, length);
  });
}

NtStatus NtApi::map_view_of_section(HandleValue section_handle, HandleValue process_handle,
                                    std::uint64_t& base, std::uint64_t zero_bits,
                                    std::uint64_t commit, std::uint64_t& offset,
                                    std::uint64_t& size, std::uint32_t inherit, std::uint32_t type,
                                    std::uint32_t protect) {
  return told("NtMapViewOfSection", [&]() -> NtStatus {
    if (zero_bits != 0) return status::invalid_parameter_4;
    if (inherit != 1 && inherit != 2) return status::invalid_parameter_8;
    MapRequest request{.base = base,
                       .commit_size = commit,
                       .offset = offset,
                       .size = size,
                       .inherit = static_cast<ViewInherit>(inherit),
                       .type = type,
                       .protect = protect};
    const NtStatus valid = AddressSpace::check_map(request);
    if (!valid.succeeded()) return valid;
    ObjectRef<Process> process;
    const NtStatus referenced =
        reference(process_handle, ObjectType::process, pa::vm_operation, process);
    if (!referenced.succeeded()) return referenced;
    ObjectRef<Section> section;
    const NtStatus found =
        reference(section_handle, ObjectType::section, section_right(protect), section);
    if (!found.succeeded()) return found;
    const NtStatus alive = check_alive(*process);
    if (!alive.succeeded()) return alive;
    const NtStatus mapped = process->space->map(section, request);
    if (!mapped.succeeded()) return mapped;
    base = request.base;
    offset = request.offset;
    size = request.size;
    return mapped;
  });
}

NtStatus NtApi::unmap_view_of_section(HandleValue handle, std::uint64_t address) {
  return told("NtUnmapViewOfSection", [&]() -> NtStatus {
    ObjectRef<Process> process;
    const NtStatus referenced = reference(handle, ObjectType::process, pa::vm_operation, process);
    if (!referenced.succeeded()) return referenced;
    const NtStatus alive = check_alive(*process);
    return alive.succeeded() ? process->space->unmap(address) : alive;
  });
}

}  // namespace doppel
