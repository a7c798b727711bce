// SPDX-License-Identifier: Apache-2.0
//
// A walk through the idea, statement by statement, on the model of the NT executive: each is made
// to happen with native calls, and what happened is printed. Ends with 1 if one does not hold.
//
//   executive_tour [DIRECTORY OF GUESTS]
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <dumpwriter/formats.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/plan/selection.h>
#include <dumpwriter/sink/buffer_sink.h>
#include <snapshot/executive/capture/executive_backend.h>
#include <snapshot/executive/guest_session.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/nt_status_name.h>
#include <snapshot/executive/win32/create_process.h>
#include <snapshot/support/error_text.h>

using namespace doppel;

namespace {

constexpr std::uint64_t kSteps = 10'000'000;
constexpr std::uint64_t kPebParameters = 0x20;

std::string guests = DOPPEL_GUESTS_DIR;
int broken = 0;

void statement(const char* text) {
  std::printf("\n== %s\n", text);
}

/// One thing that must be so.
void hold(bool good, const std::string& what) {
  std::printf("   %s %s\n", good ? "ok " : "NO ", what.c_str());
  if (!good) ++broken;
}

std::string named(NtStatus status) {
  char text[64];
  std::snprintf(text, sizeof text, "%08X %s", status.value,
                std::string(nt_status_name(status)).c_str());
  return text;
}

/// The call must answer `wanted`; printed with its name.
void answers(const char* call, NtStatus got, NtStatus wanted) {
  hold(got == wanted, std::string(call) + " -> " + named(got));
}

std::vector<std::byte> image_of(const std::string& program) {
  std::ifstream file(guests + "/" + program, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.empty()) {
    std::fprintf(stderr, "executive_tour: no %s in %s\n", program.c_str(), guests.c_str());
    std::exit(1);
  }
  const auto view = std::as_bytes(std::span(bytes));
  return {view.begin(), view.end()};
}

GuestSessionOptions session_of(const std::string& program, NtProfile profile = NtProfile::nt63) {
  GuestSessionOptions options;
  options.executive.profile = profile;
  options.executive.check_invariants = true;
  options.program = program;
  options.image = image_of(program);
  return options;
}

template <typename T>
T peek(NtApi& nt, HandleValue process, std::uint64_t address) {
  T value{};
  std::size_t done = 0;
  (void)nt.read_virtual_memory(process, address, std::as_writable_bytes(std::span(&value, 1)),
                               done);
  return value;
}

/// The classic creation with the native calls themselves, so that each statement can be looked at.
void creation() {
  Executive executive;
  executive.files().install("argv.exe", image_of("argv.exe"));
  HostActor creator(executive, "creator");
  NtApi& nt = creator.nt();

  statement("A process is created from a section, and nothing runs in it: it has no thread.");
  HandleValue file = 0;
  HandleValue section = 0;
  HandleValue process = 0;
  HandleValue thread = 0;
  Information opened = 0;
  ObjectAttributes name;
  name.name = "\\??\\C:\\argv.exe";
  name.attributes = object_attribute::case_insensitive;
  answers("NtOpenFile",
          nt.open_file(file, file_access::execute | access::synchronize, name, file_share::read, 0,
                       opened),
          status::success);
  answers("NtCreateSection(SEC_IMAGE)",
          nt.create_section(section, section_access::all, {}, 0, page::execute, sec::image, file),
          status::success);
  answers(
      "NtCreateProcess(section)",
      nt.create_process(process, process_access::all, {}, kCurrentProcess, false, section, 0, 0),
      status::success);
  answers("NtGetNextThread", nt.get_next_thread(process, 0, thread_access::all, 0, 0, thread),
          status::no_more_entries);
  (void)executive.stepper().step(100);
  hold(executive.stepper().steps() == 0, "no instruction runs");

  statement("Its parameters are written by code of user mode: the kernel left the place empty.");
  ProcessBasicInformation basic;
  std::uint32_t length = 0;
  (void)nt.query_information_process(process, 0, std::as_writable_bytes(std::span(&basic, 1)),
                                     length);
  hold(peek<std::uint64_t>(nt, process, basic.peb + kPebParameters) == 0,
       "PEB.ProcessParameters is 0 after the creation");
  const ProcessParameters parameters{.image_path = "C:\\argv.exe",
                                     .command_line = "argv written from outside",
                                     .current_directory = "C:\\",
                                     .dll_path = "",
                                     .environment = {"TOUR=1"}};
  std::uint64_t block = 0;
  std::uint64_t size = parameters_size(parameters);
  std::size_t done = 0;
  answers("NtAllocateVirtualMemory(child)",
          nt.allocate_virtual_memory(process, block, 0, size, mem::commit | mem::reserve,
                                     page::readwrite),
          status::success);
  answers("NtWriteVirtualMemory(child, parameters)",
          nt.write_virtual_memory(process, block, build_parameters(parameters, block), done),
          status::success);
  answers("NtWriteVirtualMemory(child, PEB)",
          nt.write_virtual_memory(process, basic.peb + kPebParameters,
                                  std::as_bytes(std::span(&block, 1)), done),
          status::success);

  statement(
      "The thread is created suspended, with a CONTEXT and a TEB template; the creator made its "
      "stack.");
  constexpr std::uint64_t kStackSize = 0x10000;
  std::uint64_t stack = 0;
  size = kStackSize;
  answers("NtAllocateVirtualMemory(child, stack)",
          nt.allocate_virtual_memory(process, stack, 0, size, mem::commit | mem::reserve,
                                     page::readwrite),
          status::success);
  ImageInformation image;
  std::uint64_t answered = 0;
  (void)nt.query_section(section, 1, std::as_writable_bytes(std::span(&image, 1)), answered);
  NtContext context;
  context.registers.rip = image.transfer_address;
  context.registers.general[kRcx] = basic.peb;
  context.registers.general[kRsp] = stack + kStackSize - 0x28;
  ClientId id;
  const InitialTeb teb{
      .stack_base = stack + kStackSize, .stack_limit = stack, .stack_allocation_base = stack};
  answers("NtCreateThread(CreateSuspended)",
          nt.create_thread(thread, thread_access::all, {}, process, id, &context, teb, true),
          status::success);
  ThreadBasicInformation about;
  (void)nt.query_information_thread(thread, 0, std::as_writable_bytes(std::span(&about, 1)),
                                    length);
  hold(peek<std::uint64_t>(nt, process, about.teb + 8) == teb.stack_base,
       "TEB.StackBase is that of the template");
  (void)executive.stepper().step(100);
  hold(executive.stepper().steps() == 0, "suspended, it retires no instruction");
  std::uint32_t previous = 0;
  answers("NtResumeThread", nt.resume_thread(thread, previous), status::success);
  answers("NtWaitForSingleObject(process)", nt.wait_for_single_object(process, std::nullopt),
          status::success);
  const auto written = executive.files().find("argv.out");
  hold(written != nullptr && written->bytes.size() > 8 && written->bytes[0] == std::byte{'a'},
       "the program found what was written for it");
}

void fork_living() {
  statement(
      "A process is forked by copying its address space: NtCreateUserProcess without an image.");
  GuestSession session(session_of("forker.exe"));
  std::uint64_t copied_at_clone = ~std::uint64_t{0};
  std::uint64_t before = 0;
  session.executive().on_call = [&](const TraceEvent& event) {
    if (event.thread == 0 || event.call != "NtCreateUserProcess") return;
    copied_at_clone = session.executive().memory().copies() - before;
    std::printf("       NtCreateUserProcess -> %s\n", named(event.status).c_str());
  };
  std::uint32_t process = 0;
  answers("start", session.launch(process), status::success);
  // The calls of the start are not the guest's.
  before = session.executive().memory().copies();
  hold(session.run(kSteps) == GuestEnd::exited, "parent and child run to their ends");
  hold(copied_at_clone == 3,
       "the clone copied " + std::to_string(copied_at_clone) +
           " pages: the PEB and the two of the TEB, which differ in the child");
  answers("exit status of the parent, who checked its child's", session.exit_status(),
          status::success);
}

/// Crash, clone, restart at the first piece of the dump that is read.
void crash(bool inherit) {
  statement(
      inherit ? "The same with inherited handles: the restart meets a sharing violation until the "
                "clone is gone."
              : "A crash: its address space is cloned without handles, it ends, and is restarted "
                "while the dump is written.");
  GuestSession session(session_of("holder.exe"));
  std::uint32_t first = 0;
  answers("start", session.launch(first), status::success);
  hold(session.run(kSteps) == GuestEnd::crashed, "it opens a file for itself alone, and crashes");
  ExecutiveBackend backend(session.service());
  backend.set_crash(session.crash());
  backend.inherit_handles(inherit);
  Result<Snapshot> snapshot = backend.capture({.target = static_cast<std::int32_t>(first)});
  if (!snapshot) {
    hold(false, "clone: " + error_text(snapshot.error()));
    return;
  }
  hold(true, inherit ? "cloned with its handles" : "cloned without its handles");
  answers("NtxReplyCrash(not handled)", session.dismiss(), status::success);
  answers("exit status of the crashed process", session.exit_status(), status::access_violation);

  std::vector<std::string> opens;
  session.executive().on_call = [&](const TraceEvent& event) {
    if (event.thread != 0 && event.call != "NtTerminateProcess")
      opens.push_back(std::string(event.call) + " -> " + named(event.status));
  };
  GuestEnd end = GuestEnd::idle;
  const auto restart = [&] {
    std::uint32_t again = 0;
    answers("start again", session.launch(again), status::success);
    end = session.run(kSteps);
    for (const std::string& open : opens) std::printf("       %s\n", open.c_str());
    opens.clear();
    if (end == GuestEnd::crashed) (void)session.dismiss();
  };
  // On the thread that writes the dump, after the first piece of the clone was read.
  backend.access().on_read = [&] {
    if (end == GuestEnd::idle) restart();
  };
  const Result<Selection> selection = select(snapshot->image, *snapshot->memory);
  Result<DumpPlan> plan = selection ? find_format("minidump")->plan(snapshot->image, *selection)
                                    : Result<DumpPlan>(fail(selection.error()));
  if (!plan) {
    hold(false, "plan: " + error_text(plan.error()));
    return;
  }
  const auto dump = std::make_shared<BufferSink::Contents>();
  WriteJob job =
      WriteJob::start(std::move(*snapshot), std::move(*plan), std::make_unique<BufferSink>(dump),
                      {.compress = false, .threads = 1});
  const Result<WriteReport> written = std::move(job).wait();
  hold(written.has_value() && written->zero_filled_pages == 0,
       "the dump is whole: " + std::to_string(written ? written->file_bytes : 0) + " bytes");
  if (!inherit) {
    hold(end == GuestEnd::crashed, "restarted, it got its files (and crashed with them again)");
    return;
  }
  hold(end == GuestEnd::exited, "restarted, it was refused");
  answers("exit status of the restarted one", session.exit_status(), status::sharing_violation);
  restart();
  hold(end == GuestEnd::crashed, "after the clone is gone it gets its files");
}

void protection() {
  statement(
      "NtCreateUserProcess: the kernel does the set-up, so a protected child needs not trust its "
      "creator.");
  Executive executive;
  constexpr std::uint8_t kWindows = 5;
  executive.files().install("argv.exe", image_of("argv.exe"), kWindows);
  HostActor creator(executive, "creator");
  Win32 win32(creator.nt());
  ProcessInformation child;
  NtStatus native = status::success;
  const Win32Error classic = create_process(win32,
                                            {.application = "C:\\argv.exe",
                                             .command_line = {},
                                             .protected_process = true,
                                             .classic = true},
                                            child);
  hold(classic == win32_error::invalid_parameter, "the classic way cannot say it: error 87");
  (void)create_process(win32,
                       {.application = "C:\\argv.exe",
                        .command_line = "argv protected",
                        .suspended = true,
                        .protected_process = true},
                       child, &native);
  answers("NtCreateUserProcess(PROTECTED_PROCESS)", native, status::success);
  NtApi& nt = creator.nt();
  std::uint64_t value = 0;
  std::size_t done = 0;
  std::uint64_t base = 0;
  std::uint64_t size = kNtPageSize;
  HandleValue made = 0;
  ClientId id;
  NtContext context;
  const auto bytes = std::as_writable_bytes(std::span(&value, 1));
  answers("NtWriteVirtualMemory by its creator",
          nt.write_virtual_memory(child.process, 0x140000000, bytes, done), status::access_denied);
  answers("NtReadVirtualMemory", nt.read_virtual_memory(child.process, 0x140000000, bytes, done),
          status::access_denied);
  answers("NtAllocateVirtualMemory",
          nt.allocate_virtual_memory(child.process, base, 0, size, mem::commit | mem::reserve,
                                     page::readwrite),
          status::access_denied);
  answers("NtCreateThread",
          nt.create_thread(made, thread_access::all, {}, child.process, id, &context, {}, true),
          status::access_denied);
  answers("NtCreateProcessEx(clone it)",
          nt.create_process_ex(made, process_access::all, {}, child.process, 0, 0, 0, 0),
          status::access_denied);
  std::uint32_t previous = 0;
  answers("NtResumeThread", nt.resume_thread(child.thread, previous), status::success);
  std::uint32_t waited = 1;
  (void)win32.wait_for_single_object(child.process, std::nullopt, waited);
  const auto written = executive.files().find("argv.out");
  hold(written != nullptr && !written->bytes.empty(),
       "and yet it found its parameters: the kernel wrote them");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) guests = argv[1];
  creation();
  fork_living();
  crash(false);
  crash(true);
  protection();
  std::printf("\n%s\n", broken == 0 ? "every statement holds" : "NOT every statement holds");
  return broken == 0 ? 0 : 1;
}
