// SPDX-License-Identifier: Apache-2.0
//
// The world of the specification's tests: an executive with the guests on its volume and a parent
// that is a host actor. Every test runs for three seeds of the seeded schedule, with all invariants
// checked after every native call.
#ifndef DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_SPEC_EXECUTIVE_WORLD_H_
#define DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_SPEC_EXECUTIVE_WORLD_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <snapshot/executive/executive.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/native/nt_api.h>
#include <snapshot/executive/native/process_flags.h>
#include <snapshot/executive/ps/host_actor.h>
#include <snapshot/executive/ps/process_create.h>
#include <snapshot/executive/ps/teb.h>

namespace doppel {

inline void PrintTo(NtStatus status, std::ostream* out) {
  *out << std::hex << status.value << std::dec;
}

inline constexpr std::uint32_t kShareNone = 0;

/// Bytes of a program built from samples/guests.
inline std::vector<std::byte> guest_bytes(const std::string& name) {
  std::ifstream in(std::string(DOPPEL_GUESTS_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(in) << name;
  const std::vector<char> chars{std::istreambuf_iterator<char>(in), {}};
  const auto* from = reinterpret_cast<const std::byte*>(chars.data());
  return {from, from + chars.size()};
}

class ExecutiveSpec : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  ExecutiveSpec() { boot({}); }

  ~ExecutiveSpec() override {
    parent.reset();
    executive.reset();
  }

  /// A new executive with everything of `options` but the seed, the policy and the checks.
  void boot(ExecutiveOptions options, FaultPlan faults = {}) {
    parent.reset();
    executive.reset();
    options.seed = GetParam();
    options.schedule.policy = SchedulePolicy::seeded;
    options.check_invariants = true;
    executive = std::make_unique<Executive>(options, std::move(faults));
    parent = std::make_unique<HostActor>(*executive, "parent");
  }

  NtApi& nt() { return parent->nt(); }

  void install(const std::string& guest, ProtectionSigner signer = ProtectionSigner::none) {
    executive->files().install(guest, guest_bytes(guest), static_cast<std::uint8_t>(signer));
  }

  static ObjectAttributes named(std::string path, std::uint32_t attributes = 0) {
    return {.name = std::move(path), .attributes = attributes | object_attribute::case_insensitive};
  }

  static ObjectAttributes file_name(const std::string& name, std::uint32_t attributes = 0) {
    return named("\\??\\C:\\" + name, attributes);
  }

  NtStatus open_file(NtApi& api, const std::string& name, AccessMask desired, std::uint32_t share,
                     FileDisposition disposition, HandleValue& file, std::uint32_t options = 0,
                     std::uint32_t attributes = 0) {
    Information information = 0;
    return api.create_file(file,
                           {.desired = desired,
                            .object = file_name(name, attributes),
                            .share = share,
                            .disposition = disposition,
                            .options = options},
                           information);
  }

  /// An image section of an installed guest, by the steps of the classic creation.
  HandleValue image_section(const std::string& guest) {
    HandleValue file = 0, section = 0;
    EXPECT_EQ(open_file(nt(), guest, file_access::execute | access::synchronize,
                        file_share::read | file_share::delete_file, FileDisposition::open, file),
              status::success);
    EXPECT_EQ(
        nt().create_section(section, section_access::all, {}, 0, page::execute, sec::image, file),
        status::success);
    EXPECT_EQ(nt().close(file), status::success);
    return section;
  }

  /// A process of `guest` without a thread.
  HandleValue create_from_section(const std::string& guest, bool inherit = false) {
    const HandleValue section = image_section(guest);
    HandleValue process = 0;
    EXPECT_EQ(nt().create_process(process, process_access::all, {}, kCurrentProcess, inherit,
                                  section, 0, 0),
              status::success);
    EXPECT_EQ(nt().close(section), status::success);
    return process;
  }

  struct Started {
    HandleValue process = 0, thread = 0;
    UserProcessInfo info;
    UserProcessAttributes attributes;
  };

  /// NtCreateUserProcess; closes the file and the section that come with it.
  NtStatus start(NtApi& api, const std::string& guest, Started& started, bool suspended = false,
                 std::uint32_t process_flags = 0, const std::string& command_line = "",
                 AccessMask process_rights = access::maximum_allowed,
                 AccessMask thread_rights = access::maximum_allowed) {
    started.attributes.image_name = "\\??\\C:\\" + guest;
    ProcessParameters parameters;
    parameters.command_line = command_line.empty() ? guest : command_line;
    parameters.environment = {"PATH=C:\\"};
    const NtStatus made =
        api.create_user_process(started.process, started.thread, process_rights, thread_rights, {},
                                {}, process_flags, suspended ? thread_flag::create_suspended : 0,
                                &parameters, started.info, started.attributes);
    if (made.succeeded()) {
      EXPECT_EQ(api.close(started.info.file), status::success);
      EXPECT_EQ(api.close(started.info.section), status::success);
    }
    return made;
  }

  Started start(const std::string& guest, bool suspended = false, std::uint32_t process_flags = 0,
                const std::string& command_line = "") {
    Started started;
    EXPECT_EQ(start(nt(), guest, started, suspended, process_flags, command_line), status::success);
    return started;
  }

  Process& process_of(HandleValue handle) {
    ObjectRef<Object> object;
    EXPECT_EQ(parent->process().handles.reference(
                  handle, {.type = ObjectType::process, .mode = CallerMode::kernel}, object),
              status::success);
    return static_cast<Process&>(*object);
  }

  NtThread& thread_of(HandleValue handle) {
    ObjectRef<Object> object;
    EXPECT_EQ(parent->process().handles.reference(
                  handle, {.type = ObjectType::thread, .mode = CallerMode::kernel}, object),
              status::success);
    return static_cast<NtThread&>(*object);
  }

  static AccessMask granted(NtApi& api, HandleValue handle) {
    const HandleEntry* entry = api.caller().process->handles.find(handle);
    return entry == nullptr ? 0 : entry->granted;
  }

  template <typename T>
  T read(HandleValue process, std::uint64_t address) {
    T value{};
    std::size_t done = 0;
    EXPECT_EQ(nt().read_virtual_memory(process, address,
                                       std::as_writable_bytes(std::span(&value, 1)), done),
              status::success)
        << std::hex << address;
    return value;
  }

  template <typename T>
  NtStatus write(NtApi& api, HandleValue process, std::uint64_t address, const T& value) {
    std::size_t done = 0;
    return api.write_virtual_memory(process, address, std::as_bytes(std::span(&value, 1)), done);
  }

  ProcessBasicInformation basic(HandleValue process) {
    ProcessBasicInformation information;
    std::uint32_t length = 0;
    EXPECT_EQ(nt().query_information_process(
                  process, 0, std::as_writable_bytes(std::span(&information, 1)), length),
              status::success);
    return information;
  }

  std::uint32_t exit_status(HandleValue process) { return basic(process).exit_status; }

  NtStatus wait(HandleValue object) { return nt().wait_for_single_object(object, std::nullopt); }

  MemoryInformation query(HandleValue process, std::uint64_t address) {
    MemoryInformation information;
    EXPECT_EQ(process_of(process).space->query(address, information), status::success);
    return information;
  }

  /// Fresh private memory of `pages` pages.
  std::uint64_t allocate(HandleValue process, std::uint64_t pages,
                         std::uint32_t protect = page::readwrite) {
    std::uint64_t base = 0, size = pages * kNtPageSize;
    EXPECT_EQ(
        nt().allocate_virtual_memory(process, base, 0, size, mem::commit | mem::reserve, protect),
        status::success);
    return base;
  }

  /// NtCreateProcessEx without a section.
  HandleValue clone(HandleValue process, std::uint32_t flags = 0) {
    HandleValue copy = 0;
    EXPECT_EQ(nt().create_process_ex(copy, process_access::all, {}, process, flags, 0, 0, 0),
              status::success);
    return copy;
  }

  /// A port for the crashes of everybody, held by the parent.
  HandleValue listen_for_crashes() {
    HandleValue port = 0;
    EXPECT_EQ(nt().create_crash_port(port, access::generic_all, {}), status::success);
    EXPECT_EQ(nt().set_crash_port(0, port), status::success);
    return port;
  }

  CrashMessage next_crash(HandleValue port) {
    CrashMessage message;
    const StepOutcome outcome = executive->stepper().run_until(
        [&] { return nt().receive_crash(port, message) == status::success; }, 10'000'000);
    EXPECT_EQ(outcome, StepOutcome::progress);
    return message;
  }

  std::unique_ptr<Executive> executive;
  std::unique_ptr<HostActor> parent;
};

}  // namespace doppel

#endif  // DOPPEL_TESTS_UNIT_SNAPSHOT_EXECUTIVE_SPEC_EXECUTIVE_WORLD_H_
