// SPDX-License-Identifier: Apache-2.0
//
// The native API, typed: what a host actor calls, and what native/dispatch.h calls for a guest once
// arguments are copied in. The order of checks in each function is NT's and normative; the statuses
// are named where the functions are (one file for each topic). A failing call leaves no object,
// handle, name, charge, page or view behind.
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_NT_API_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_NT_API_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/io/file_system.h>
#include <snapshot/executive/ke/crash_port.h>
#include <snapshot/executive/native/nt_records.h>
#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/nt_types.h>
#include <snapshot/executive/ps/context.h>
#include <snapshot/executive/ps/process_parameters.h>

namespace doppel {

/// Who calls. `thread` is null for a host actor; kernel mode skips access checks and protection.
struct Caller {
  Process* process = nullptr;
  NtThread* thread = nullptr;
  CallerMode mode = CallerMode::user;
};

/// OBJECT_ATTRIBUTES.
struct ObjectAttributes {
  HandleValue root = 0;
  std::optional<std::string> name = {};
  std::uint32_t attributes = 0;  ///< object_attribute
  std::optional<SecurityDescriptor> security = {};
};

/// PS_ATTRIBUTE_LIST of NtCreateUserProcess, in and out.
struct UserProcessAttributes {
  bool malformed = false;  ///< wrong length, unknown or repeated attribute
  std::optional<HandleValue> parent = {}, token = {};
  std::optional<std::string> image_name = {};
  std::optional<std::vector<HandleValue>> handle_list = {};
  std::optional<std::uint8_t> protection_level = {};
  ClientId client_id = {};        ///< out
  std::uint64_t teb_address = 0;  ///< out
  ImageInformation image = {};    ///< out
};

/// PS_CREATE_INFO.
struct UserProcessInfo {
  std::uint64_t size = 0x58;
  std::uint32_t state = 0;  ///< in 0; out: where it failed, or 6
  std::uint32_t output_flags = 0;
  HandleValue file = 0, section = 0;  ///< the caller closes both
  std::uint64_t parameters = 0, peb = 0;
};

/// Arguments of NtCreateFile.
struct FileCreation {
  AccessMask desired = 0;
  ObjectAttributes object = {};
  std::uint32_t share = 0;
  FileDisposition disposition = FileDisposition::open;
  std::uint32_t options = 0;
};

/// What a file call answers in its IO_STATUS_BLOCK.
using Information = std::uint64_t;

class NtApi {
 public:
  NtApi(Executive& executive, const Caller& caller) : executive_(executive), caller_(caller) {}

  const Caller& caller() const { return caller_; }

  Executive& executive() const { return executive_; }

  // --- processes (native/process_calls.cc, create_process.cc, create_user_process.cc)

  NtStatus create_process(HandleValue& process, AccessMask desired, const ObjectAttributes& object,
                          HandleValue parent, bool inherit, HandleValue section, HandleValue debug,
                          HandleValue token);
  NtStatus create_process_ex(HandleValue& process, AccessMask desired,
                             const ObjectAttributes& object, HandleValue parent,
                             std::uint32_t flags, HandleValue section, HandleValue debug,
                             HandleValue token, std::uint32_t job_level = 0);
  /// A guest's clone of itself makes its thread from the caller's registers; a host actor has none
  /// and cannot clone itself this way (INVALID_PARAMETER).
  NtStatus create_user_process(HandleValue& process, HandleValue& thread, AccessMask process_access,
                               AccessMask thread_access, const ObjectAttributes& process_object,
                               const ObjectAttributes& thread_object, std::uint32_t process_flags,
                               std::uint32_t thread_flags, const ProcessParameters* parameters,
                               UserProcessInfo& info, UserProcessAttributes& attributes);
  NtStatus open_process(HandleValue& process, AccessMask desired, const ObjectAttributes& object,
                        const ClientId* id);
  /// `process` 0: all threads but the caller's own.
  NtStatus terminate_process(HandleValue process, NtStatus exit_status);
  NtStatus suspend_process(HandleValue process);
  NtStatus resume_process(HandleValue process);
  NtStatus get_next_process(HandleValue process, AccessMask desired, std::uint32_t attributes,
                            std::uint32_t flags, HandleValue& next);
  NtStatus query_information_process(HandleValue process, std::uint32_t information_class,
                                     std::span<std::byte> to, std::uint32_t& length);
  NtStatus set_information_process(HandleValue process, std::uint32_t information_class,
                                   std::span<const std::byte> from);

  // --- threads (native/thread_calls.cc)

  NtStatus create_thread(HandleValue& thread, AccessMask desired, const ObjectAttributes& object,
                         HandleValue process, ClientId& id, const NtContext* context,
                         const InitialTeb& initial_teb, bool suspended);
  NtStatus create_thread_ex(HandleValue& thread, AccessMask desired, const ObjectAttributes& object,
                            HandleValue process, std::uint64_t start, std::uint64_t argument,
                            std::uint32_t flags, std::uint64_t stack_commit,
                            std::uint64_t stack_reserve);
  NtStatus open_thread(HandleValue& thread, AccessMask desired, const ObjectAttributes& object,
                       const ClientId& id);
  NtStatus terminate_thread(HandleValue thread, NtStatus exit_status);
  NtStatus suspend_thread(HandleValue thread, std::uint32_t& previous);
  NtStatus resume_thread(HandleValue thread, std::uint32_t& previous);
  NtStatus get_context_thread(HandleValue thread, NtContext& context);
  NtStatus set_context_thread(HandleValue thread, std::span<const std::byte, kContextSize> context);
  NtStatus get_next_thread(HandleValue process, HandleValue thread, AccessMask desired,
                           std::uint32_t attributes, std::uint32_t flags, HandleValue& next);
  NtStatus query_information_thread(HandleValue thread, std::uint32_t information_class,
                                    std::span<std::byte> to, std::uint32_t& length);
  NtStatus set_information_thread(HandleValue thread, std::uint32_t information_class,
                                  std::span<const std::byte> from);
  NtStatus delay_execution(std::int64_t interval);
  NtStatus yield_execution();

  // --- memory (native/memory_calls.cc)

  NtStatus allocate_virtual_memory(HandleValue process, std::uint64_t& base,
                                   std::uint64_t zero_bits, std::uint64_t& size, std::uint32_t type,
                                   std::uint32_t protect);
  NtStatus free_virtual_memory(HandleValue process, std::uint64_t& base, std::uint64_t& size,
                               std::uint32_t type);
  NtStatus protect_virtual_memory(HandleValue process, std::uint64_t& base, std::uint64_t& size,
                                  std::uint32_t protect, std::uint32_t& old);
  NtStatus read_virtual_memory(HandleValue process, std::uint64_t address, std::span<std::byte> to,
                               std::size_t& done);
  NtStatus write_virtual_memory(HandleValue process, std::uint64_t address,
                                std::span<const std::byte> from, std::size_t& done);
  /// Classes 0 basic, 2 mapped file name, 4 working set.
  NtStatus query_virtual_memory(HandleValue process, std::uint64_t address,
                                std::uint32_t information_class, std::span<std::byte> to,
                                std::uint64_t& length);
  NtStatus create_section(HandleValue& section, AccessMask desired, const ObjectAttributes& object,
                          std::uint64_t maximum_size, std::uint32_t protect,
                          std::uint32_t attributes, HandleValue file);
  NtStatus open_section(HandleValue& section, AccessMask desired, const ObjectAttributes& object);
  NtStatus query_section(HandleValue section, std::uint32_t information_class,
                         std::span<std::byte> to, std::uint64_t& length);
  NtStatus map_view_of_section(HandleValue section, HandleValue process, std::uint64_t& base,
                               std::uint64_t zero_bits, std::uint64_t commit, std::uint64_t& offset,
                               std::uint64_t& size, std::uint32_t inherit, std::uint32_t type,
                               std::uint32_t protect);
  NtStatus unmap_view_of_section(HandleValue process, std::uint64_t address);

  // --- objects (native/object_calls.cc)

  NtStatus close(HandleValue handle);
  NtStatus duplicate_object(HandleValue source_process, HandleValue source,
                            HandleValue target_process, HandleValue& target, AccessMask desired,
                            std::uint32_t attributes, std::uint32_t options);
  NtStatus query_object(HandleValue handle, std::uint32_t information_class,
                        std::span<std::byte> to, std::uint32_t& length);
  NtStatus set_information_object(HandleValue handle, bool inherit, bool protect_close);
  NtStatus create_directory_object(HandleValue& directory, AccessMask desired,
                                   const ObjectAttributes& object);

  // --- synchronisation (native/wait_calls.cc)

  /// `type` 0: notification, 1: synchronization.
  NtStatus create_event(HandleValue& event, AccessMask desired, const ObjectAttributes& object,
                        std::uint32_t type, bool signalled);
  NtStatus open_event(HandleValue& event, AccessMask desired, const ObjectAttributes& object);
  NtStatus set_event(HandleValue event, std::uint32_t& previous);
  NtStatus reset_event(HandleValue event, std::uint32_t& previous);
  NtStatus create_mutant(HandleValue& mutant, AccessMask desired, const ObjectAttributes& object,
                         bool owned);
  NtStatus open_mutant(HandleValue& mutant, AccessMask desired, const ObjectAttributes& object);
  NtStatus release_mutant(HandleValue mutant, std::int32_t& previous);
  /// `timeout` in 100 ns: absent for ever, 0 a look, negative from now, positive a virtual time. A
  /// guest's thread is left waiting and the answer is PENDING, which no guest sees; a host actor's
  /// call runs the stepper meanwhile, and answers UNSUCCESSFUL when nobody is left to wake it.
  NtStatus wait_for_single_object(HandleValue object, std::optional<std::int64_t> timeout);

  // --- tokens (native/token_calls.cc)

  NtStatus open_process_token(HandleValue process, AccessMask desired, HandleValue& token);
  NtStatus duplicate_token(HandleValue existing, AccessMask desired, const ObjectAttributes& object,
                           TokenKind kind, HandleValue& token);
  /// A token as the security subsystem makes one; needs the tcb privilege: PRIVILEGE_NOT_HELD.
  NtStatus create_token(HandleValue& token, AccessMask desired, const TokenData& contents);
  NtStatus query_token(HandleValue token, TokenData& contents);
  NtStatus adjust_privilege(HandleValue token, Privilege privilege, bool enabled);
  /// Integrity may only be lowered.
  NtStatus set_token_integrity(HandleValue token, std::uint32_t level);

  // --- files (native/file_calls.cc)

  NtStatus create_file(HandleValue& file, const FileCreation& creation, Information& information);
  NtStatus open_file(HandleValue& file, AccessMask desired, const ObjectAttributes& object,
                     std::uint32_t share, std::uint32_t options, Information& information);
  /// `offset` absent: at the file's position, which moves.
  NtStatus read_file(HandleValue file, std::span<std::byte> to, std::optional<std::uint64_t> offset,
                     std::uint32_t key, Information& information);
  NtStatus write_file(HandleValue file, std::span<const std::byte> from,
                      std::optional<std::uint64_t> offset, std::uint32_t key,
                      Information& information);
  NtStatus lock_file(HandleValue file, std::uint64_t offset, std::uint64_t length,
                     std::uint32_t key, bool fail_immediately, bool exclusive);
  NtStatus unlock_file(HandleValue file, std::uint64_t offset, std::uint64_t length,
                       std::uint32_t key);
  NtStatus set_information_file(HandleValue file, std::uint32_t information_class,
                                std::span<const std::byte> from);
  NtStatus query_information_file(HandleValue file, std::uint32_t information_class,
                                  std::span<std::byte> to, std::uint32_t& length);

  // --- extensions of the model (native/extension_calls.cc)

  NtStatus set_exception_dispatcher(std::uint64_t address);
  NtStatus create_crash_port(HandleValue& port, AccessMask desired, const ObjectAttributes& object);
  /// `process` 0: of the system.
  NtStatus set_crash_port(HandleValue process, HandleValue port);
  NtStatus receive_crash(HandleValue port, CrashMessage& message);
  /// `context` is loaded with DBG_EXCEPTION_HANDLED only.
  NtStatus reply_crash(HandleValue port, std::uint64_t sequence, NtStatus answer,
                       const NtContext* context = nullptr);

 private:
  /// Runs one native call and tells the trace.
  template <typename Call>
  NtStatus told(std::string_view name, Call call) {
    const std::uint64_t step = executive_.stepper().steps();
    const std::uint32_t process = caller_.process->id;
    const std::uint32_t thread = caller_.thread == nullptr ? 0 : caller_.thread->id;
    const NtStatus answer = call();
    executive_.trace(
        {.step = step, .process = process, .thread = thread, .call = name, .status = answer});
    return answer;
  }

  /// Reference by handle, with the caller's pseudo handles and mode.
  template <typename T>
  NtStatus reference(HandleValue handle, ObjectType type, AccessMask desired, ObjectRef<T>& object,
                     AccessMask* granted = nullptr) const {
    ObjectRef<Object> found;
    const NtStatus referenced = reference_any(handle, type, desired, found, granted);
    if (referenced.succeeded()) object = ObjectRef<T>(static_cast<T*>(found.get()));
    return referenced;
  }

  NtStatus reference_any(HandleValue handle, std::optional<ObjectType> type, AccessMask desired,
                         ObjectRef<Object>& object, AccessMask* granted = nullptr) const;
  PseudoHandles pseudo_handles() const;

  const TokenData& token() const { return caller_.process->token->data; }

  /// What protection takes from a handle of this caller to `object`.
  AccessMask denied_rights(const Object& object) const;
  static NtStatus check_attributes(ObjectType type, const ObjectAttributes& object);
  NtStatus look_up(const ObjectAttributes& object, PathEnd& end) const;
  /// A handle to an object that exists: descriptor, then protection.
  NtStatus open_object(const ObjectRef<Object>& object, AccessMask desired,
                       std::uint32_t attributes, HandleValue& handle);
  /// A handle to an object that was just made and is unnamed so far; names it.
  NtStatus insert_object(const ObjectRef<Object>& object, AccessMask desired,
                         const ObjectAttributes& attributes, HandleValue& handle);
  NtStatus open_named(ObjectType type, AccessMask desired, const ObjectAttributes& object,
                      HandleValue& handle);

  bool may_allocate_object() { return !executive_.faults().fault(FaultSite::object_alloc); }

  NtStatus do_create_process(HandleValue& process, AccessMask desired,
                             const ObjectAttributes& object, HandleValue parent,
                             std::uint32_t flags, HandleValue section, HandleValue debug,
                             HandleValue token, std::uint32_t job_level);
  NtStatus primary_token(HandleValue token, TokenData& contents) const;
  NtStatus clone_caller(HandleValue& process, HandleValue& thread, AccessMask process_access,
                        AccessMask thread_access, const ObjectAttributes& process_object,
                        const ObjectAttributes& thread_object, std::uint32_t process_flags,
                        std::uint32_t thread_flags, UserProcessInfo& info,
                        UserProcessAttributes& attributes);
  NtStatus open_image(const std::string& name, UserProcessInfo& info, ObjectRef<FileObject>& file,
                      ObjectRef<Section>& section);
  NtStatus do_create_file(HandleValue& file, const FileCreation& creation,
                          Information& information);
  NtStatus do_query_process(HandleValue process, std::uint32_t information_class,
                            std::span<std::byte> to, std::uint32_t& length);
  NtStatus do_query_thread(HandleValue thread, std::uint32_t information_class,
                           std::span<std::byte> to, std::uint32_t& length);
  NtStatus do_query_object(HandleValue handle, std::uint32_t information_class,
                           std::span<std::byte> to, std::uint32_t& length);
  NtStatus do_set_file(HandleValue file, std::uint32_t information_class,
                       std::span<const std::byte> from);
  NtStatus do_duplicate(HandleValue source_process, HandleValue source, HandleValue target_process,
                        HandleValue& target, AccessMask desired, std::uint32_t attributes,
                        std::uint32_t options);
  /// A guest's thread waits as `wait` says (PENDING); for a host actor the stepper runs until
  /// `satisfied` or the deadline.
  NtStatus block(ThreadWait wait, const std::function<std::optional<NtStatus>()>& satisfied);

  Executive& executive_;
  Caller caller_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_NATIVE_NT_API_H_
