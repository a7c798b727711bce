// SPDX-License-Identifier: Apache-2.0
//
// Building processes and threads.
#include <algorithm>

#include <snapshot/executive/io/file_object.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ob/object_type.h>
#include <snapshot/executive/ps/process_create.h>
#include <snapshot/executive/ps/process_exit.h>
#include <snapshot/executive/ps/teb.h>
#include <snapshot/executive/se/access_check.h>

namespace doppel {
namespace {

/// What -1 always carries, whatever token and descriptor say (process.c of ReactOS).
AccessMask self_access_of(const Process& process) {
  namespace pa = process_access;
  AccessMask granted = 0;
  const NtStatus checked = check_access(process.token->data, process.security(),
                                        {.type = ObjectType::process,
                                         .desired = access::maximum_allowed,
                                         .labels = process.executive.has_integrity_levels()},
                                        granted);
  if (!checked.succeeded()) granted = 0;
  return granted | pa::terminate | pa::vm_operation | pa::vm_read | pa::vm_write | pa::dup_handle |
         pa::create_process | pa::create_thread | pa::query_information | pa::set_information |
         pa::set_quota | pa::query_limited | pa::set_limited | access::delete_object |
         access::read_control | access::write_dac | access::write_owner | access::synchronize;
}

/// min(token, label of the image file).
void limit_integrity(TokenData& token, const Section* section) {
  if (section == nullptr || section->node() == nullptr) return;
  const auto& security = section->node()->security;
  if (security && security->label)
    token.integrity_level = std::min(token.integrity_level, security->label->level);
}

NtStatus map_program(Executive& executive, const ProcessSpecification& specification,
                     Process& process) {
  const Section& section = *specification.section;
  MapRequest request;
  request.protect = page::execute;
  const NtStatus mapped = process.space->map(specification.section, request);
  if (!mapped.succeeded()) return mapped;
  process.image_base = request.base;
  process.image_name = "\\Device\\HarddiskVolume1\\" + section.node()->name;
  return make_peb(*process.space, executive.options().profile, &section.image(), request.base,
                  specification.protection, process.peb);
}

NtStatus clone_program(const ProcessSpecification& specification, Process& process) {
  Process& parent = *specification.parent;
  process.peb = parent.peb;
  process.image_base = parent.image_base;
  process.image_name = parent.image_name;
  process.exception_dispatcher = parent.exception_dispatcher;
  process.started = parent.started;
  return parent.space->clone(parent.peb, process.space);
}

}  // namespace

NtStatus make_process(Executive& executive, const ProcessSpecification& specification,
                      ObjectRef<Process>& made) {
  FaultPlan& faults = executive.faults();
  if (faults.fault(FaultSite::object_alloc)) return status::insufficient_resources;
  if (faults.fault(FaultSite::cid_alloc)) return status::insufficient_resources;
  const Process& parent = *specification.parent;
  const ObjectRef<Process> process(new Process(executive, executive.take_id()));
  process->space = std::make_unique<AddressSpace>(executive.memory());
  process->inherited_from = parent.id;
  process->protection = specification.protection;
  const bool clones = !specification.section;
  const NtStatus filled = clones ? clone_program(specification, *process)
                                 : map_program(executive, specification, *process);
  if (!filled.succeeded()) return filled;
  process->section = clones ? parent.section : specification.section;
  if (specification.release_section) process->section = {};
  process->threadless_clone = specification.threadless;
  if (faults.fault(FaultSite::object_alloc)) return status::insufficient_resources;
  TokenData token = specification.token ? *specification.token : parent.token->data;
  limit_integrity(token, clones ? nullptr : specification.section.get());
  process->token = ObjectRef<Token>(new Token(token, executive.counters()));
  process->token->set_security(default_object_security(token));
  process->set_security(default_process_security(*specification.creator));
  process->self_access = self_access_of(*process);
  if (specification.inherit_handles) {
    const NtStatus inherited = process->handles.inherit(parent.handles, specification.handle_list);
    if (!inherited.succeeded()) return inherited;
  }
  made = process;
  return status::success;
}

NtStatus make_thread(Process& process, const ThreadSpecification& specification,
                     ObjectRef<NtThread>& made) {
  Executive& executive = process.executive;
  const bool barren = process.threadless_clone && executive.options().profile == NtProfile::nt63;
  if (process.exiting || barren) return status::process_is_terminating;
  if (executive.faults().fault(FaultSite::object_alloc)) return status::insufficient_resources;
  if (executive.faults().fault(FaultSite::cid_alloc)) return status::insufficient_resources;
  const ObjectRef<NtThread> thread(
      new NtThread(executive.take_id(), ObjectRef<Process>(&process), executive.counters()));
  const ClientId id{process.id, thread->id};
  if (specification.existing_teb == 0) {
    const NtStatus placed =
        make_teb(*process.space, id, process.peb, specification.initial_teb, thread->teb);
    if (!placed.succeeded()) return placed;
  } else {
    thread->teb = specification.existing_teb;
    if (!poke(*process.space, thread->teb + teb_offset::client_id, id) ||
        !poke(*process.space, thread->teb + teb_offset::same_teb_flags, teb_offset::cloned_thread))
      return status::no_memory;
  }
  const InitialTeb& stack = specification.initial_teb;
  thread->stack_base = stack.old_stack_base != 0 ? stack.old_stack_base : stack.stack_base;
  thread->stack_limit = stack.old_stack_limit != 0 ? stack.old_stack_limit : stack.stack_limit;
  thread->context = specification.context;
  thread->context.registers.gs_base = thread->teb;
  thread->start_address = specification.start_address;
  thread->suspend_count = specification.suspended ? 1 : 0;
  thread->self_access = thread_access::all;
  thread->set_security(default_process_security(*specification.creator));
  thread->state = ThreadState::ready;
  process.threads.push_back(thread);
  made = thread;
  return status::success;
}

void unmake_thread(NtThread& unwanted) {
  const ObjectRef<NtThread> thread(&unwanted);
  Process& process = *thread->process;
  free_teb(*process.space, thread->teb);
  std::erase(process.threads, thread);
  thread->state = ThreadState::terminated;
}

NtStatus make_stack(AddressSpace& space, std::uint64_t reserve, std::uint64_t commit,
                    InitialTeb& stack) {
  const auto round = [](std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
  };
  commit = std::max(round(commit, kNtPageSize), kNtPageSize);
  reserve = round(std::max(reserve, commit + 2 * kNtPageSize), kAllocationGranularity);
  std::uint64_t base = 0, size = reserve;
  const NtStatus reserved = space.allocate(base, size, mem::reserve, page::readwrite);
  if (!reserved.succeeded()) return reserved;
  std::uint64_t low = base + size - commit - kNtPageSize;  // the guard page
  std::uint64_t committed = commit + kNtPageSize;
  NtStatus done = space.allocate(low, committed, mem::commit, page::readwrite);
  if (done.succeeded()) {
    std::uint64_t guard = low, guard_size = kNtPageSize;
    std::uint32_t old = 0;
    done = space.protect(guard, guard_size, page::readwrite | page::guard, old);
  }
  if (!done.succeeded()) {
    std::uint64_t nothing = 0;
    [[maybe_unused]] const NtStatus freed = space.free(base, nothing, mem::release);
    return done;
  }
  stack = {.old_stack_base = 0,
           .old_stack_limit = 0,
           .stack_base = base + size,
           .stack_limit = low + kNtPageSize,
           .stack_allocation_base = base};
  return status::success;
}

NtStatus give_parameters(Process& process, const ProcessParameters& parameters,
                         std::uint64_t& address) {
  if (process.executive.faults().fault(FaultSite::params_copy)) return status::access_violation;
  if (!parameters_fit(parameters)) return status::name_too_long;
  std::uint64_t base = 0, size = parameters_size(parameters);
  const NtStatus made =
      process.space->allocate(base, size, mem::commit | mem::reserve, page::readwrite);
  if (!made.succeeded()) return made;
  const std::vector<std::byte> block = build_parameters(parameters, base);
  if (!poke(*process.space, base, block.data(), block.size()) ||
      !poke(*process.space, process.peb + peb_offset::parameters, base))
    return status::no_memory;
  address = base;
  return status::success;
}

ImageInformation image_information(const Section& section, std::uint64_t base) {
  const PeImage& image = section.image();
  ImageInformation information;
  information.transfer_address = base + image.entry;
  information.maximum_stack_size = image.stack_reserve;
  information.committed_stack_size = image.stack_commit;
  information.subsystem = image.subsystem;
  information.characteristics = image.characteristics;
  information.dll_characteristics = image.dll_characteristics;
  information.machine = image.machine;
  information.contains_code = 1;
  information.file_size = static_cast<std::uint32_t>(section.node()->bytes.size());
  information.checksum = image.checksum;
  return information;
}

}  // namespace doppel
