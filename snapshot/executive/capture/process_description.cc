// SPDX-License-Identifier: Apache-2.0
//
// Which memory is of the instant: private pages and copied write-copy pages are; a section's pages
// have one storage, shared by clone and original (executive.md 0, point 4), and are torn.
#include <algorithm>
#include <cstring>
#include <string_view>

#include <snapshot/executive/capture/mapped_module.h>
#include <snapshot/executive/capture/process_description.h>
#include <snapshot/executive/executive.h>
#include <snapshot/executive/mm/page_protection.h>
#include <snapshot/executive/ob/object_type.h>
#include <snapshot/executive/ps/process_parameters.h>
#include <snapshot/executive/ps/teb.h>
#include <snapshot/support/version.h>

namespace doppel {
namespace {

constexpr std::uint64_t kTicksPerSecond = 10'000'000;

Access access_of(const MemoryInformation& run) {
  if (run.state != mem::commit) return {};
  return {.read = allows(run.protect, MemoryAccess::read),
          .write = allows(run.protect, MemoryAccess::write),
          .execute = allows(run.protect, MemoryAccess::execute)};
}

/// As programs name it: the volume by its letter.
std::string dos_path(std::string path) {
  constexpr std::string_view kVolume = "\\Device\\HarddiskVolume1\\";
  if (path.starts_with(kVolume)) path.replace(0, kVolume.size(), "C:\\");
  return path;
}

std::string file_part(std::string_view path) {
  const std::size_t at = path.find_last_of("\\/");
  return std::string(at == path.npos ? path : path.substr(at + 1));
}

const char* profile_name(NtProfile profile) {
  switch (profile) {
    case NtProfile::nt52:
      return "Nt52";
    case NtProfile::nt60:
      return "Nt60";
    case NtProfile::nt63:
      break;
  }
  return "Nt63";
}

/// One stretch of a run whose pages have one storage with others, or do not.
struct Stretch {
  MemoryInformation run;
  bool shared = false;
};

/// Whether a page that is committed in a view is the section's.
bool is_section_page(NtApi& nt, HandleValue clone, const MemoryInformation& run,
                     std::uint64_t page) {
  const auto block = query_working_set(nt, clone, page);
  if (block && block->valid) return block->shared;
  // Without a page of its own it will be the section's.
  return run.state == mem::commit;
}

/// Private memory is one stretch; views are cut where pages were copied. Pages of an image that
/// nobody can write through are the file's, and never change: they count as private.
std::vector<Stretch> stretches_of(NtApi& nt, HandleValue clone, const MemoryInformation& run) {
  if (run.type == mem::private_memory || run.state != mem::commit) return {{run, false}};
  const bool fixed = run.type == mem::image && !is_shared_write(run.protect);
  if (fixed) return {{run, false}};
  std::vector<Stretch> stretches;
  const std::uint64_t end = run.base + run.size;
  for (std::uint64_t page = run.base; page < end; page += kNtPageSize) {
    const bool shared = is_section_page(nt, clone, run, page);
    if (stretches.empty() || stretches.back().shared != shared) {
      Stretch next{run, shared};
      next.run.base = page;
      next.run.size = 0;
      stretches.push_back(next);
    }
    stretches.back().run.size += kNtPageSize;
  }
  return stretches;
}

Region region_of(const Stretch& stretch, const std::string& path) {
  const MemoryInformation& run = stretch.run;
  Region region;
  region.range = {.begin = {run.base}, .size = run.size};
  region.access = access_of(run);
  region.sharing = stretch.shared ? Sharing::shared : Sharing::private_copy;
  if (run.type != mem::private_memory)
    region.backing = path.empty() ? Backing::shared_memory : Backing::file;
  region.path = path;
  region.traits.guard = (run.protect & page::guard) != 0;
  region.windows = WindowsRegion{.allocation_base = {run.allocation_base},
                                 .allocation_protect = run.allocation_protect,
                                 .state = run.state,
                                 .protect = run.protect,
                                 .type = run.type};
  return region;
}

bool read_exactly(const Memory& memory, std::uint64_t at, std::span<std::byte> to) {
  std::size_t done = 0;
  while (done < to.size()) {
    const auto got = memory.read({at + done}, to.subspan(done));
    if (!got) return false;
    done += *got;
  }
  return true;
}

/// The UNICODE_STRING at `at` of a program's memory; false where it cannot be read.
bool read_string(const Memory& memory, std::uint64_t at, std::string& text) {
  struct {
    std::uint16_t size, capacity;
    std::uint32_t pad;
    std::uint64_t text;
  } record;

  if (!read_exactly(memory, at, std::as_writable_bytes(std::span(&record, 1)))) return false;
  std::u16string wide(record.size / 2, u'\0');
  if (!read_exactly(memory, record.text, std::as_writable_bytes(std::span(wide)))) return false;
  text = utf8_of(wide);
  return true;
}

}  // namespace

CpuContext cpu_context(const NtContext& context) {
  CpuContext result;
  const auto& from = context.registers.general;
  X86_64Registers& to = result.general;
  to.rax = from[kRax];
  to.rcx = from[kRcx];
  to.rdx = from[kRdx];
  to.rbx = from[kRbx];
  to.rsp = from[kRsp];
  to.rbp = from[kRbp];
  to.rsi = from[kRsi];
  to.rdi = from[kRdi];
  to.r8 = from[kR8];
  to.r9 = from[kR9];
  to.r10 = from[kR10];
  to.r11 = from[kR11];
  to.r12 = from[kR12];
  to.r13 = from[kR13];
  to.r14 = from[kR14];
  to.r15 = from[kR15];
  to.rip = context.registers.rip;
  to.eflags = context.registers.flags;
  to.gs_base = context.registers.gs_base;
  to.cs = 0x33;
  to.ss = to.ds = to.es = to.gs = 0x2B;
  to.fs = 0x53;
  result.fxsave.assign(context.floating_point.begin(), context.floating_point.end());
  return result;
}

NtStatus describe_threads(NtApi& nt, HandleValue process, std::uint32_t suspensions,
                          const CrashMessage* crash, ProcessImage& image) {
  const AccessMask rights = thread_access::get_context | thread_access::query_information;
  OwnedHandle previous;
  for (;;) {
    HandleValue value = 0;
    const NtStatus next = nt.get_next_thread(process, previous.get(), rights, 0, 0, value);
    if (next == status::no_more_entries) break;
    if (!next.succeeded()) return next;
    OwnedHandle handle(nt, value);
    const auto basic = query_thread<ThreadBasicInformation>(nt, handle.get(), 0);
    NtContext context;
    const NtStatus got = nt.get_context_thread(handle.get(), context);
    if (basic && got.succeeded()) {
      Thread thread;
      thread.id = static_cast<std::int32_t>(basic->id.thread);
      thread.namespace_id = thread.id;
      thread.name = thread_name(nt, handle.get());
      thread.registers = cpu_context(context);
      thread.registers.general.gs_base = basic->teb;
      const std::uint32_t count =
          query_thread<std::uint32_t>(nt, handle.get(), 35).value_or(suspensions);
      thread.windows =
          WindowsThread{.suspend_count = count - std::min(count, suspensions),
                        .exit_status = basic->exit_status,
                        .teb = {basic->teb},
                        .start = {query_thread<std::uint64_t>(nt, handle.get(), 9).value_or(0)},
                        .affinity = basic->affinity};
      image.threads.push_back(std::move(thread));
    } else if (got != status::unsuccessful) {
      return got;  // UNSUCCESSFUL: it ended between listing and looking
    }
    previous = std::move(handle);
  }
  if (crash != nullptr)
    std::ranges::stable_partition(image.threads, [crash](const Thread& thread) {
      return static_cast<std::uint32_t>(thread.id) == crash->thread;
    });
  return image.threads.empty() ? status::process_is_terminating : status::success;
}

NtStatus describe_handles(NtApi& nt, HandleValue process, ProcessImage& image) {
  std::vector<HandleInformation> handles;
  const NtStatus done = query_handles(nt, process, handles);
  for (const HandleInformation& handle : handles) {
    Handle described;
    described.number = handle.handle;
    described.kind = type_info(static_cast<ObjectType>(handle.type)).name;
    described.windows =
        WindowsHandle{.attributes = handle.attributes,
                      .access = handle.granted,
                      .handle_count = static_cast<std::uint32_t>(handle.handle_count),
                      .pointer_count = static_cast<std::uint32_t>(handle.pointer_count)};
    image.handles.push_back(std::move(described));
  }
  return done;
}

void describe_regions(NtApi& nt, HandleValue original, HandleValue clone,
                      const std::vector<MemoryInformation>& map, SharedMemory shared, bool direct,
                      ProcessImage& image) {
  for (const MemoryInformation& run : map) {
    const std::optional<MemoryInformation> now = query_memory(nt, clone, run.base);
    const bool absent = !now || now->state == mem::free;
    const bool mapped = run.type != mem::private_memory;
    const std::string path =
        mapped ? dos_path(mapped_file_name(nt, original, run.base)) : std::string();
    std::vector<Stretch> stretches{{run, mapped}};
    if (!absent) stretches = stretches_of(nt, clone, run);
    for (const Stretch& stretch : stretches) {
      const Region& region = image.regions.emplace_back(region_of(stretch, path));
      if (run.state != mem::commit) continue;
      const auto omit = [&](const char* why, bool asked) {
        image.omissions.push_back(
            {.what = "memory", .range = region.range, .why = why, .asked = asked});
      };
      if (absent) {
        omit("ViewUnmap: a clone does not get this view", false);
      } else if (direct && region.traits.guard) {
        omit("guard pages of a running process", false);
      } else if ((run.protect & kBaseProtections) == page::noaccess) {
        omit("PAGE_NOACCESS", true);
      } else if (stretch.shared && shared == SharedMemory::omit) {
        omit("shared memory, not asked for", true);
      } else if (direct) {
        image.torn.push_back({region.range, "read while the process ran"});
      } else if (stretch.shared && shared == SharedMemory::live) {
        image.torn.push_back({region.range, "shared memory, read after the release"});
      }
    }
  }
}

void describe_modules(const Memory& memory, ProcessImage& image) {
  for (const Region& region : image.regions) {
    if (region.windows->type != mem::image) continue;
    const Address base = region.windows->allocation_base;
    if (image.modules.empty() || image.modules.back().range.begin != base)
      image.modules.push_back({.range = {.begin = base, .size = 0}, .path = region.path});
    image.modules.back().range.size = region.range.end() - base.value;
  }
  for (Module& module : image.modules) {
    bool unreadable = false;
    module.windows = read_mapped_module(memory, module.range, unreadable);
    if (unreadable)
      image.omissions.push_back({.what = "headers of " + module.path, .why = "unreadable"});
  }
}

void describe_process(NtApi& nt, HandleValue process, const Memory& memory, std::uint64_t clone,
                      ProcessImage& image) {
  Executive& executive = nt.executive();
  ProcessInfo& info = image.process;
  const auto basic = query_process<ProcessBasicInformation>(nt, process, 0);
  const auto times = query_process<KernelUserTimes>(nt, process, 4);
  if (basic) {
    info.parent = static_cast<std::int32_t>(basic->inherited_from);
    info.namespace_parent = info.parent;
  }
  if (times) {
    info.user_time_us = times->user / 10;
    info.system_time_us = times->kernel / 10;
    info.start_ticks = times->create;
  }
  info.executable = dos_path(image_file_name(nt, process));
  if (info.executable.empty() && !image.modules.empty())
    info.executable = image.modules.front().path;
  info.comm = file_part(info.executable);
  std::uint64_t parameters = 0;
  bool readable = basic && read_exactly(memory, basic->peb + peb_offset::parameters,
                                        std::as_writable_bytes(std::span(&parameters, 1)));
  if (readable && parameters != 0) {
    constexpr std::uint64_t kCommandLine = 0x70;
    std::string line;
    readable = read_string(memory, parameters + kCommandLine, line);
    if (!line.empty()) info.arguments.push_back(std::move(line));
  }
  if (!readable) image.omissions.push_back({.what = "command line", .why = "unreadable"});
  info.coredump_filter = 0x1FF;
  info.captured_at_ns = kVirtualEpochNs + static_cast<std::int64_t>(executive.now()) * 100;
  info.tool = "doppel " + std::string(kVersion);
  const NtProfile profile = executive.options().profile;
  const OsVersion version = version_of(profile);
  info.kernel = std::string("executive model ") + profile_name(profile);
  WindowsProcess windows{.major = version.major, .minor = version.minor, .build = version.build};
  windows.created_at =
      static_cast<std::uint32_t>(kVirtualEpochNs / 1'000'000'000 +
                                 static_cast<std::int64_t>(info.start_ticks / kTicksPerSecond));
  windows.comment = std::string("profile ") + profile_name(profile) + ", seed " +
                    std::to_string(executive.options().seed) + ", step " +
                    std::to_string(executive.stepper().steps());
  if (clone != 0) windows.comment += ", clone " + std::to_string(clone);
  info.windows = std::move(windows);
}

}  // namespace doppel
