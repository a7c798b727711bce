// SPDX-License-Identifier: Apache-2.0
//
// Making process and thread objects: what NtCreateProcessEx and NtCreateUserProcess have in common
// once their handles are resolved. Everything is built on the side; a failure drops it whole. No
// handle is made here.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_CREATE_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_CREATE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/native/nt_records.h>
#include <snapshot/executive/ps/process_parameters.h>
#include <snapshot/executive/se/protection.h>
#include <snapshot/executive/se/token.h>

namespace doppel {

struct ProcessSpecification {
  Process* parent = nullptr;            ///< handles, token and, for a clone, memory come from it
  ObjectRef<Section> section = {};      ///< an image section; empty: clone the parent's memory
  std::optional<TokenData> token = {};  ///< absent: the parent's
  const TokenData* creator = nullptr;   ///< whose level and user the default descriptor has
  Protection protection = {};
  bool inherit_handles = false;
  std::optional<std::vector<HandleValue>> handle_list = {};  ///< only these
  bool release_section = false;
  bool threadless = false;  ///< a clone by NtCreateProcessEx
};

/// COMMITMENT_LIMIT, NO_MEMORY, INSUFFICIENT_RESOURCES, PROCESS_IS_TERMINATING (the parent's handle
/// table is gone), INVALID_PARAMETER (handle list).
NtStatus make_process(Executive& executive, const ProcessSpecification& specification,
                      ObjectRef<Process>& process);

struct ThreadSpecification {
  NtContext context = {};
  InitialTeb initial_teb = {};
  std::uint64_t existing_teb = 0;  ///< of a cloned thread: the copy that came with the memory
  bool suspended = false;
  std::uint64_t start_address = 0;
  const TokenData* creator = nullptr;
};

/// A thread of `process`, ready or suspended. COMMITMENT_LIMIT, NO_MEMORY, INSUFFICIENT_RESOURCES,
/// PROCESS_IS_TERMINATING (exiting, or a clone under Nt63 that may never have threads).
NtStatus make_thread(Process& process, const ThreadSpecification& specification,
                     ObjectRef<NtThread>& thread);
/// Takes back what make_thread() made, when no handle could be given: as if it had never been.
void unmake_thread(NtThread& thread);

/// Reserves a stack, commits its upper `commit` bytes (whole pages, one at least) with a guard page
/// below. NO_MEMORY, COMMITMENT_LIMIT; nothing is left on failure.
NtStatus make_stack(AddressSpace& space, std::uint64_t reserve, std::uint64_t commit,
                    InitialTeb& stack);

/// Puts a parameter block into the memory of a new process and names it in its PEB. NO_MEMORY,
/// COMMITMENT_LIMIT, ACCESS_VIOLATION.
NtStatus give_parameters(Process& process, const ProcessParameters& parameters,
                         std::uint64_t& address);

/// What NtQuerySection says of an image.
ImageInformation image_information(const Section& section, std::uint64_t base);

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_CREATE_H_
