// SPDX-License-Identifier: Apache-2.0
//
// NtCreateUserProcess: the kernel sets up everything - image, PEB, parameters, stack, first thread
// - so that the creator needs no rights on the child and a protected child gives it none (US
// 2006/0259487). Without an image name: the caller clones itself with the calling thread
// (huntandhackett/process-cloning).
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/mm/section.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/process_flags.h>
#include <snapshot/executive/ps/process_create.h>
#include <snapshot/executive/ps/process_exit.h>

namespace doppel {
namespace {

namespace create_state {
constexpr std::uint32_t fail_on_file_open = 1, fail_on_section = 2, fail_exe_format = 3,
                        fail_machine = 4, success = 6;
}

constexpr std::uint64_t kCreateInfoSize = 0x58;
constexpr AccessMask kImageFileAccess =
    file_access::execute | file_access::read_attr | access::synchronize;

bool starts_suspended(std::uint32_t process_flags, std::uint32_t thread_flags) {
  return (thread_flags & thread_flag::create_suspended) != 0 ||
         (process_flags & process_flag::create_suspended) != 0;
}

/// The level that the child shall run at, or INVALID_IMAGE_HASH.
NtStatus protection_of(const UserProcessAttributes& attributes, std::uint32_t process_flags,
                       const FileNode& image, Protection& protection) {
  if ((process_flags & process_flag::protected_process) == 0) return status::success;
  const auto signer = static_cast<ProtectionSigner>(image.signer);
  Protection wanted{ProtectionType::full, signer};
  if (attributes.protection_level) {
    wanted.type = static_cast<ProtectionType>(*attributes.protection_level & 7);
    wanted.signer = static_cast<ProtectionSigner>(*attributes.protection_level >> 4);
  }
  if (signer == ProtectionSigner::none || !signer_covers(signer, wanted.signer))
    return status::invalid_image_hash;
  protection = wanted;
  return status::success;
}

/// A PE file whose header names another processor.
bool is_of_another_machine(const FileNode& node) {
  std::uint16_t magic = 0, machine = 0;
  std::uint32_t header = 0, signature = 0;
  const auto get = [&](std::uint64_t at, auto& value) {
    return node.read(at, reinterpret_cast<std::byte*>(&value), sizeof value) == sizeof value;
  };
  return get(0, magic) && magic == 0x5A4D && get(0x3C, header) && get(header, signature) &&
         signature == 0x4550 && get(header + 4, machine) && machine != 0x8664;
}

bool valid_level(std::uint8_t level) {
  return ((level & 7) == 1 || (level & 7) == 2) && (level & 8) == 0 && level >> 4 <= 8;
}

/// The handles of one call: closed again unless kept.
class NewHandles {
 public:
  explicit NewHandles(HandleTable& table) : table_(table) {}

  NewHandles(const NewHandles&) = delete;
  NewHandles& operator=(const NewHandles&) = delete;

  ~NewHandles() {
    for (const HandleValue handle : handles_) {
      [[maybe_unused]] const NtStatus closed = table_.close(handle);
    }
  }

  void add(HandleValue handle) { handles_.push_back(handle); }

  void keep() { handles_.clear(); }

 private:
  HandleTable& table_;
  std::vector<HandleValue> handles_;
};

/// A thread that is taken back unless kept; it and its process hold each other.
class NewThread {
 public:
  NewThread() = default;
  NewThread(const NewThread&) = delete;
  NewThread& operator=(const NewThread&) = delete;

  ~NewThread() {
    if (object && !kept) unmake_thread(*object);
  }

  ObjectRef<NtThread> object;
  bool kept = false;
};

}  // namespace

NtStatus NtApi::open_image(const std::string& name, UserProcessInfo& info,
                           ObjectRef<FileObject>& file, ObjectRef<Section>& section) {
  info.state = create_state::fail_on_file_open;
  PathEnd end;
  const NtStatus found =
      look_up({.name = name, .attributes = object_attribute::case_insensitive}, end);
  if (!found.succeeded()) return found;
  if (!end.object) return status::object_name_not_found;
  if (end.object->type() != ObjectType::device) return status::object_type_mismatch;
  FileOpenResult opened;
  const NtStatus open_status =
      executive_.files().open({.name = end.rest,
                               .desired = kImageFileAccess,
                               .share = file_share::read | file_share::delete_file,
                               .disposition = FileDisposition::open,
                               .options = 0,
                               .token = &token(),
                               .mode = caller_.mode,
                               .labels = executive_.has_integrity_levels()},
                              opened);
  if (!open_status.succeeded()) return open_status;
  info.state = create_state::fail_on_section;
  const NtStatus mapped =
      executive_.sections().create({.size = 0,
                                    .protect = page::execute,
                                    .attributes = sec::image,
                                    .node = opened.file->node.get(),
                                    .file = ObjectRef<Object>(opened.file.get())},
                                   section);
  if (!mapped.succeeded()) {
    if (is_of_another_machine(*opened.file->node)) info.state = create_state::fail_machine;
    return mapped;
  }
  info.state = create_state::fail_exe_format;
  if (section->image().is_dll() || section->image().entry == 0) return status::invalid_image_format;
  info.state = 0;
  file = opened.file;
  return status::success;
}

NtStatus NtApi::clone_caller(HandleValue& process_handle, HandleValue& thread_handle,
                             AccessMask process_access, AccessMask thread_access,
                             const ObjectAttributes& process_object,
                             const ObjectAttributes& thread_object, std::uint32_t process_flags,
                             std::uint32_t thread_flags, UserProcessInfo& info,
                             UserProcessAttributes& attributes) {
  Process& parent = *caller_.process;
  if (caller_.thread == nullptr) return status::invalid_parameter;
  if (parent.exiting || parent.vm_deleted) return status::process_is_terminating;
  ProcessSpecification specification;
  specification.parent = &parent;
  specification.creator = &token();
  specification.protection = parent.protection;
  specification.inherit_handles = (process_flags & process_flag::inherit_handles) != 0;
  specification.handle_list = attributes.handle_list;
  specification.release_section = (process_flags & process_flag::release_section) != 0;
  ObjectRef<Process> process;
  const NtStatus made = make_process(executive_, specification, process);
  if (!made.succeeded()) return made;
  ThreadSpecification thread_specification;
  thread_specification.context = caller_.thread->context;
  thread_specification.context.registers.general[kRax] = status::process_cloned.value;
  thread_specification.existing_teb = caller_.thread->teb;
  thread_specification.initial_teb = {.old_stack_base = caller_.thread->stack_base,
                                      .old_stack_limit = caller_.thread->stack_limit};
  thread_specification.suspended = starts_suspended(process_flags, thread_flags);
  thread_specification.start_address = caller_.thread->start_address;
  thread_specification.creator = &token();
  NewThread thread;
  const NtStatus threaded = make_thread(*process, thread_specification, thread.object);
  if (!threaded.succeeded()) return threaded;
  NewHandles handles(parent.handles);
  const NtStatus first = insert_object(ObjectRef<Object>(process.get()), process_access,
                                       process_object, process_handle);
  if (!first.succeeded()) return first;
  handles.add(process_handle);
  const NtStatus second = insert_object(ObjectRef<Object>(thread.object.get()), thread_access,
                                        thread_object, thread_handle);
  if (!second.succeeded()) return second;
  handles.keep();
  thread.kept = true;
  info.state = create_state::success;
  info.peb = process->peb;
  attributes.client_id = {process->id, thread.object->id};
  attributes.teb_address = thread.object->teb;
  return status::success;
}

NtStatus NtApi::create_user_process(HandleValue& process_handle, HandleValue& thread_handle,
                                    AccessMask process_access, AccessMask thread_access,
                                    const ObjectAttributes& process_object,
                                    const ObjectAttributes& thread_object,
                                    std::uint32_t process_flags, std::uint32_t thread_flags,
                                    const ProcessParameters* parameters, UserProcessInfo& info,
                                    UserProcessAttributes& attributes) {
  const auto call = [&]() -> NtStatus {
    if (executive_.options().profile == NtProfile::nt52) return status::invalid_system_service;
    if ((process_flags & ~process_flag::known) != 0 || (thread_flags & ~thread_flag::known) != 0)
      return status::invalid_parameter;
    if (info.size != kCreateInfoSize || info.state != 0) return status::invalid_parameter;
    if (attributes.malformed) return status::invalid_parameter;
    const bool levelled = attributes.protection_level.has_value();
    if (levelled && ((process_flags & process_flag::protected_process) == 0 ||
                     !valid_level(*attributes.protection_level)))
      return status::invalid_parameter;
    NtStatus valid = check_attributes(ObjectType::process, process_object);
    if (valid.succeeded()) valid = check_attributes(ObjectType::thread, thread_object);
    if (!valid.succeeded()) return valid;
    ObjectRef<Process> parent(caller_.process);
    if (attributes.parent) {
      const NtStatus referenced = reference(*attributes.parent, ObjectType::process,
                                            process_access::create_process, parent);
      if (!referenced.succeeded()) return referenced;
    }
    if (!attributes.image_name) {
      const bool refused =
          parent.get() != caller_.process || attributes.token || levelled || parameters != nullptr;
      if (refused) return status::invalid_parameter;
      return clone_caller(process_handle, thread_handle, process_access, thread_access,
                          process_object, thread_object, process_flags, thread_flags, info,
                          attributes);
    }
    if (parent->exiting) return status::process_is_terminating;
    ObjectRef<FileObject> file;
    ProcessSpecification specification;
    const NtStatus opened = open_image(*attributes.image_name, info, file, specification.section);
    if (!opened.succeeded()) return opened;
    const Section& section = *specification.section;
    if (attributes.token) {
      TokenData contents;
      const NtStatus found = primary_token(*attributes.token, contents);
      if (!found.succeeded()) return found;
      specification.token = contents;
    }
    const NtStatus signed_well =
        protection_of(attributes, process_flags, *section.node(), specification.protection);
    if (!signed_well.succeeded()) return signed_well;
    specification.parent = parent.get();
    specification.creator = &token();
    specification.inherit_handles = (process_flags & process_flag::inherit_handles) != 0;
    specification.handle_list = attributes.handle_list;
    specification.release_section = (process_flags & process_flag::release_section) != 0;
    ObjectRef<Process> process;
    const NtStatus made = make_process(executive_, specification, process);
    if (!made.succeeded()) return made;
    ProcessParameters given;
    if (parameters != nullptr) given = *parameters;
    if (given.image_path.empty()) given.image_path = *attributes.image_name;
    std::uint64_t block = 0;
    const NtStatus told_all = give_parameters(*process, given, block);
    if (!told_all.succeeded()) return told_all;
    ThreadSpecification first;
    const NtStatus stacked = make_stack(*process->space, section.image().stack_reserve,
                                        section.image().stack_commit, first.initial_teb);
    if (!stacked.succeeded()) return stacked;
    first.start_address = process->image_base + section.image().entry;
    first.context.registers.rip = first.start_address;
    first.context.registers.general[kRcx] = process->peb;
    first.context.registers.general[kRsp] = first.initial_teb.stack_base - 0x28;
    first.suspended = starts_suspended(process_flags, thread_flags);
    first.creator = &token();
    NewThread thread;
    const NtStatus threaded = make_thread(*process, first, thread.object);
    if (!threaded.succeeded()) return threaded;

    NewHandles handles(caller_.process->handles);
    HandleValue file_handle = 0, section_handle = 0;
    NtStatus given_handle = insert_object(ObjectRef<Object>(process.get()), process_access,
                                          process_object, process_handle);
    if (!given_handle.succeeded()) return given_handle;
    handles.add(process_handle);
    given_handle = insert_object(ObjectRef<Object>(thread.object.get()), thread_access,
                                 thread_object, thread_handle);
    if (!given_handle.succeeded()) return given_handle;
    handles.add(thread_handle);
    given_handle = caller_.process->handles.insert(ObjectRef<Object>(file.get()), kImageFileAccess,
                                                   0, file_handle);
    if (!given_handle.succeeded()) return given_handle;
    handles.add(file_handle);
    given_handle = caller_.process->handles.insert(ObjectRef<Object>(specification.section.get()),
                                                   section_access::all, 0, section_handle);
    if (!given_handle.succeeded()) return given_handle;
    handles.keep();
    thread.kept = true;

    info.state = create_state::success;
    info.output_flags = (process->protection.type == ProtectionType::none ? 0u : 1u) |
                        (process->protection.type == ProtectionType::light ? 0x10u : 0u);
    info.file = file_handle;
    info.section = section_handle;
    info.parameters = block;
    info.peb = process->peb;
    attributes.client_id = {process->id, thread.object->id};
    attributes.teb_address = thread.object->teb;
    attributes.image = image_information(section, process->image_base);
    return status::success;
  };
  return told("NtCreateUserProcess", call);
}

}  // namespace doppel
