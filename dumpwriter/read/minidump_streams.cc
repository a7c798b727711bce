// SPDX-License-Identifier: Apache-2.0
#include <llvm/BinaryFormat/Minidump.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <dumpwriter/read/minidump_context.h>
#include <dumpwriter/read/minidump_regions.h>
#include <dumpwriter/read/minidump_streams.h>

namespace doppel {

namespace {

using llvm::minidump::StreamType;
using llvm::support::ulittle32_t;
using llvm::support::ulittle64_t;

constexpr std::uint32_t kThreadNames = 24;  // LLVM 19 has no name for it
constexpr std::uint32_t kMozLinuxLimits = 0x4d7a0003;
constexpr std::uint32_t kDumpRequested = 0xffffffff;  // Breakpad's exception that is none
constexpr std::size_t kMaxBuildId = 64;

std::uint32_t number(StreamType type) {
  return static_cast<std::uint32_t>(type);
}

std::string to_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ImageReader {
 public:
  explicit ImageReader(MinidumpFile& file) : file_(file) {}

  Result<ProcessImage> run() {
    DOPPEL_TRY(read_system_info());
    read_misc_info();
    read_linux_texts();
    read_comment();
    read_threads();
    read_thread_infos();
    read_thread_names();
    read_exception();
    read_modules();
    image_.regions = read_minidump_regions(file_, image_.modules, windows());
    read_handles();
    image_.process.captured_at_ns = std::int64_t{file_.time()} * 1'000'000'000;
    return std::move(image_);
  }

 private:
  bool windows() const { return image_.process.windows.has_value(); }

  Result<> read_system_info() {
    const auto stream = file_.stream(number(StreamType::SystemInfo));
    if (stream.size() < sizeof(llvm::minidump::SystemInfo)) {
      return fail(Errc::malformed, "read minidump: no system information");
    }
    const auto info = StreamCursor(stream).take<llvm::minidump::SystemInfo>();
    if (info.ProcessorArch != llvm::minidump::ProcessorArchitecture::AMD64) {
      return fail(Errc::unsupported, "read minidump: processor",
                  std::to_string(static_cast<unsigned>(
                      static_cast<llvm::minidump::ProcessorArchitecture>(info.ProcessorArch))));
    }
    const std::string text = file_.text(info.CSDVersionRVA);
    const llvm::minidump::OSPlatform platform = info.PlatformId;
    if (platform == llvm::minidump::OSPlatform::Win32NT) {
      image_.process.windows = WindowsProcess{.major = info.MajorVersion,
                                              .minor = info.MinorVersion,
                                              .build = info.BuildNumber,
                                              .service_pack = text,
                                              .processor_level = info.ProcessorLevel,
                                              .processor_revision = info.ProcessorRevision,
                                              .processors = info.NumberOfProcessors};
    } else {
      // "Linux 6.1.0-13-amd64 #1 SMP ... x86_64"
      const std::size_t begin = text.find(' ');
      if (begin != text.npos) {
        image_.process.kernel = text.substr(begin + 1, text.find(' ', begin + 1) - begin - 1);
      }
    }
    return {};
  }

  void read_misc_info() {
    const auto stream = file_.stream(number(StreamType::MiscInfo));
    StreamCursor cursor(stream);
    cursor.skip(4);
    const std::uint32_t flags = cursor.take<ulittle32_t>();
    const std::uint32_t id = cursor.take<ulittle32_t>();
    if ((flags & 1) != 0) set_process_id(static_cast<std::int32_t>(id));
    if ((flags & 2) == 0) return;
    const std::uint32_t created = cursor.take<ulittle32_t>();
    if (windows()) image_.process.windows->created_at = created;
    image_.process.user_time_us = std::uint64_t{cursor.take<ulittle32_t>()} * 1'000'000;
    image_.process.system_time_us = std::uint64_t{cursor.take<ulittle32_t>()} * 1'000'000;
  }

  void set_process_id(std::int32_t id) {
    image_.process.pid = id;
    image_.process.namespace_pid = id;
  }

  void read_linux_texts() {
    if (windows()) return;
    const std::string status = to_text(file_.stream(number(StreamType::LinuxProcStatus)));
    read_status(status);
    const std::string arguments = to_text(file_.stream(number(StreamType::LinuxCMDLine)));
    for (std::size_t at = 0; at < arguments.size();) {
      const std::size_t end = std::min(arguments.find('\0', at), arguments.size());
      image_.process.arguments.push_back(arguments.substr(at, end - at));
      at = end + 1;
    }
    add_verbatim("auxv", number(StreamType::LinuxAuxv));
    add_verbatim("limits", kMozLinuxLimits);
  }

  void read_status(std::string_view status) {
    ProcessInfo& process = image_.process;
    while (!status.empty()) {
      const std::size_t end = std::min(status.find('\n'), status.size());
      std::string_view line = status.substr(0, end);
      status.remove_prefix(std::min(end + 1, status.size()));
      const std::size_t colon = line.find(':');
      if (colon == line.npos) continue;
      const std::string_view name = line.substr(0, colon);
      line.remove_prefix(colon + 1);
      line.remove_prefix(std::min(line.find_first_not_of("\t "), line.size()));
      const auto value = [&](auto& to) {
        (void)std::from_chars(line.data(), line.data() + line.size(), to);
      };
      if (name == "Name") process.comm = line;
      if (name == "State" && !line.empty()) process.state = line.front();
      if (name == "PPid") value(process.parent);
      if (name == "Uid") value(process.uid);
      if (name == "Gid") value(process.gid);
      if (name == "Pid" && process.pid == 0) {
        std::int32_t id = 0;
        value(id);
        set_process_id(id);
      }
    }
    process.namespace_parent = process.parent;
  }

  void add_verbatim(const char* name, std::uint32_t type) {
    std::vector<std::byte> bytes = file_.stream(type);
    if (!bytes.empty()) image_.verbatim.push_back({.name = name, .bytes = std::move(bytes)});
  }

  void read_comment() {
    if (!windows()) return;
    std::string text = to_text(file_.stream(number(StreamType::CommentA)));
    text.resize(std::min(text.find('\0'), text.size()));
    // Those that our own writer adds are in its manifest, in a better form.
    constexpr std::string_view kOurs[] = {
        "writer: ", "engine: ", "consistency: ", "omitted: ", "not of the instant: ", "and more: "};
    std::string& comment = image_.process.windows->comment;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line = std::string_view(text).substr(at, end - at);
      at = end + 1;
      if (std::any_of(std::begin(kOurs), std::end(kOurs),
                      [&](std::string_view ours) { return line.starts_with(ours); })) {
        continue;
      }
      if (!comment.empty()) comment += '\n';
      comment += line;
    }
  }

  void read_threads() {
    const auto stream = file_.stream(number(StreamType::ThreadList));
    StreamCursor cursor(stream);
    const std::uint32_t count = cursor.take_count(sizeof(llvm::minidump::Thread));
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto record = cursor.take<llvm::minidump::Thread>();
      Thread thread;
      thread.id = static_cast<std::int32_t>(static_cast<std::uint32_t>(record.ThreadId));
      thread.namespace_id = thread.id;
      if (!threads_.emplace(thread.id, image_.threads.size()).second) continue;
      auto context = read_context(file_.bytes(record.Context.RVA, record.Context.DataSize));
      if (context) {
        thread.registers = std::move(*context);
      } else {
        thread.registers.complete = false;
        image_.omissions.push_back({.what = "registers of " + std::to_string(thread.id),
                                    .range = {},
                                    .why = "not in the dump",
                                    .asked = false});
      }
      if (windows()) {
        thread.windows = WindowsThread{.suspend_count = record.SuspendCount,
                                       .priority_class = record.PriorityClass,
                                       .priority = record.Priority,
                                       .teb = {record.EnvironmentBlock}};
      }
      image_.threads.push_back(std::move(thread));
    }
  }

  Thread* find_thread(std::uint32_t id) {
    const auto found = threads_.find(static_cast<std::int32_t>(id));
    return found == threads_.end() ? nullptr : &image_.threads[found->second];
  }

  void read_thread_infos() {
    if (!windows()) return;
    const auto stream = file_.stream(number(StreamType::ThreadInfoList));
    StreamCursor cursor(stream);
    const std::uint32_t header = cursor.take<ulittle32_t>();
    const std::uint32_t entry = cursor.take<ulittle32_t>();
    const std::uint32_t count = cursor.take<ulittle32_t>();
    constexpr std::uint32_t kHeader = 12;
    constexpr std::uint32_t kEntry = 64;
    if (header < kHeader || entry < kEntry) return;
    cursor.skip(header - kHeader);
    for (std::uint32_t i = 0; i < count && cursor.has(entry); ++i) {
      StreamCursor one(cursor.take_bytes(entry));
      Thread* const thread = find_thread(one.take<ulittle32_t>());
      if (thread == nullptr) continue;
      one.skip(8);
      thread->windows->exit_status = one.take<ulittle32_t>();
      thread->windows->created_at = one.take<ulittle64_t>();
      one.skip(8);
      thread->system_time_us = one.take<ulittle64_t>() / 10;
      thread->user_time_us = one.take<ulittle64_t>() / 10;
      thread->windows->start = {one.take<ulittle64_t>()};
      thread->windows->affinity = one.take<ulittle64_t>();
    }
  }

  void read_thread_names() {
    const auto stream = file_.stream(kThreadNames);
    StreamCursor cursor(stream);
    const std::uint32_t count = cursor.take<ulittle32_t>();
    for (std::uint32_t i = 0; i < count && cursor.has(12); ++i) {
      Thread* const thread = find_thread(cursor.take<ulittle32_t>());
      const std::uint64_t rva = cursor.take<ulittle64_t>();
      if (thread != nullptr) thread->name = file_.text(rva);
    }
  }

  void read_exception() {
    const auto stream = file_.stream(number(StreamType::Exception));
    if (stream.size() < sizeof(llvm::minidump::ExceptionStream)) return;
    const auto record = StreamCursor(stream).take<llvm::minidump::ExceptionStream>();
    const llvm::minidump::Exception& exception = record.ExceptionRecord;
    if (exception.ExceptionCode == kDumpRequested) return;
    Fault fault;
    fault.thread = static_cast<std::int32_t>(static_cast<std::uint32_t>(record.ThreadId));
    fault.number = exception.ExceptionCode;
    fault.code = static_cast<std::int32_t>(static_cast<std::uint32_t>(exception.ExceptionFlags));
    fault.address = {exception.ExceptionAddress};
    auto context =
        read_context(file_.bytes(record.ThreadContext.RVA, record.ThreadContext.DataSize));
    Thread* const thread = find_thread(record.ThreadId);
    if (windows()) {
      const std::size_t count = std::min<std::size_t>(exception.NumberParameters,
                                                      llvm::minidump::Exception::MaxParameters);
      for (std::size_t i = 0; i < count; ++i) {
        fault.parameters.push_back(exception.ExceptionInformation[i]);
      }
      if (context && thread != nullptr && *context != thread->registers) {
        fault.registers = std::move(*context);
      }
    } else if (context && thread != nullptr) {
      thread->registers = std::move(*context);
    }
    image_.fault = std::move(fault);
  }

  void read_modules() {
    const auto stream = file_.stream(number(StreamType::ModuleList));
    StreamCursor cursor(stream);
    const std::uint32_t count = cursor.take_count(sizeof(llvm::minidump::Module));
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto record = cursor.take<llvm::minidump::Module>();
      Module module;
      module.range = {{record.BaseOfImage}, record.SizeOfImage};
      module.path = file_.text(record.ModuleNameRVA);
      if (!windows() && module.path == "linux-gate.so") module.path = "[vdso]";
      if (windows()) {
        module.windows = WindowsModule{
            .checksum = record.Checksum, .time_stamp = record.TimeDateStamp, .pdb_path = {}};
      }
      read_code_view(file_.bytes(record.CvRecord.RVA, record.CvRecord.DataSize), module);
      // Readers take the first for the executable.
      if (i == 0) image_.process.executable = module.path;
      image_.modules.push_back(std::move(module));
    }
    std::stable_sort(
        image_.modules.begin(), image_.modules.end(),
        [](const Module& a, const Module& b) { return a.range.begin < b.range.begin; });
  }

  void read_code_view(std::span<const std::byte> record, Module& module) const {
    constexpr std::uint32_t kElf = 0x4270454c;  // "BpEL"
    constexpr std::uint32_t kPdb = 0x53445352;  // "RSDS"
    StreamCursor cursor(record);
    const std::uint32_t kind = cursor.take<ulittle32_t>();
    if (kind == kElf) {
      const auto id = cursor.take_bytes(std::min(cursor.left(), kMaxBuildId));
      module.build_id.assign(id.begin(), id.end());
    } else if (kind == kPdb && cursor.has(20)) {
      const auto guid = cursor.take_bytes(16);
      const std::uint32_t age = cursor.take<ulittle32_t>();
      if (module.windows) {
        std::copy(guid.begin(), guid.end(), module.windows->pdb_guid.begin());
        module.windows->pdb_age = age;
        module.windows->pdb_path = to_text(cursor.take_bytes(cursor.left()));
        std::string& path = module.windows->pdb_path;
        path.resize(std::min(path.find('\0'), path.size()));
      } else {
        // The first 16 bytes of the build id, as old versions of Breakpad wrote it.
        module.build_id.assign(guid.begin(), guid.end());
      }
    }
  }

  void read_handles() {
    const auto stream = file_.stream(number(StreamType::HandleData));
    StreamCursor cursor(stream);
    const std::uint32_t header = cursor.take<ulittle32_t>();
    const std::uint32_t entry = cursor.take<ulittle32_t>();
    const std::uint32_t count = cursor.take<ulittle32_t>();
    constexpr std::uint32_t kHeader = 16;
    constexpr std::uint32_t kEntry = 32;
    if (header < kHeader || entry < kEntry) return;
    cursor.skip(header - 12);
    for (std::uint32_t i = 0; i < count && cursor.has(entry); ++i) {
      StreamCursor one(cursor.take_bytes(entry));
      Handle handle;
      handle.number = one.take<ulittle64_t>();
      handle.kind = file_.text(one.take<ulittle32_t>());
      handle.target = file_.text(one.take<ulittle32_t>());
      const std::uint32_t attributes = one.take<ulittle32_t>();
      if (windows()) {
        WindowsHandle nt{.attributes = attributes};
        nt.access = one.take<ulittle32_t>();
        nt.handle_count = one.take<ulittle32_t>();
        nt.pointer_count = one.take<ulittle32_t>();
        handle.windows = nt;
      } else {
        handle.flags = attributes;
      }
      image_.handles.push_back(std::move(handle));
    }
  }

  MinidumpFile& file_;
  ProcessImage image_;
  std::unordered_map<std::int32_t, std::size_t> threads_;  ///< index by id
};

}  // namespace

Result<ProcessImage> read_minidump_image(MinidumpFile& file) {
  return ImageReader(file).run();
}

}  // namespace doppel
