// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include <snapshot/executive/native/nt_records.h>
#include <snapshot/executive/ps/process_parameters.h>
#include <snapshot/executive/win32/create_process.h>

namespace doppel {
namespace {

constexpr std::uint64_t kDefaultStack = 1 << 20;
constexpr std::uint64_t kPebImageBase = 0x10, kPebParameters = 0x20;
constexpr std::uint32_t kInheritHandles = 4, kProtectedProcess = 0x40, kThreadSuspended = 1;

std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kNtPageSize - 1) & ~(kNtPageSize - 1);
}

ProcessParameters parameters_of(const CreateProcessRequest& request, const std::string& path,
                                const std::string& line) {
  return {.image_path = path,
          .command_line = line,
          .current_directory = request.current_directory,
          .dll_path = "",
          .environment = request.environment,
          .standard_input = request.standard_input,
          .standard_output = request.standard_output,
          .standard_error = request.standard_error};
}

/// The classic way, step by step; what was made is undone by the destructor unless done() is
/// reached.
class ClassicCreation {
 public:
  ClassicCreation(NtApi& nt, const CreateProcessRequest& request, const std::string& path,
                  const std::string& line)
      : nt_(nt), request_(request), path_(path), line_(line) {}

  ClassicCreation(const ClassicCreation&) = delete;
  ClassicCreation& operator=(const ClassicCreation&) = delete;

  ~ClassicCreation() {
    if (failure_ != status::success && made_.process != 0)
      (void)nt_.terminate_process(made_.process, failure_);
    if (failure_ != status::success) {
      for (const HandleValue handle : {made_.thread, made_.process})
        if (handle != 0) (void)nt_.close(handle);
    }
    for (const HandleValue handle : {section_, file_})
      if (handle != 0) (void)nt_.close(handle);
  }

  NtStatus run(ProcessInformation& made) {
    failure_ = create();
    if (failure_ == status::success) made = made_;
    return failure_;
  }

 private:
  NtStatus create() {
    for (const auto step : {&ClassicCreation::open_image, &ClassicCreation::make_process,
                            &ClassicCreation::give_parameters, &ClassicCreation::give_handles,
                            &ClassicCreation::make_stack, &ClassicCreation::make_thread}) {
      if (const NtStatus status = (this->*step)(); !status.succeeded()) return status;
    }
    if (request_.subsystem) request_.subsystem(made_);
    if (request_.suspended) return status::success;
    std::uint32_t previous = 0;
    return nt_.resume_thread(made_.thread, previous);
  }

  NtStatus open_image() {
    ObjectAttributes object;
    object.name = native_path(path_);
    object.attributes = object_attribute::case_insensitive;
    Information opened = 0;
    const NtStatus status = nt_.open_file(file_, file_access::execute | access::synchronize, object,
                                          file_share::read | file_share::delete_file, 0, opened);
    if (!status.succeeded()) return status;
    return nt_.create_section(section_, section_access::all, {}, 0, page::execute, sec::image,
                              file_);
  }

  NtStatus make_process() {
    std::uint64_t length = 0;
    NtStatus status = nt_.query_section(section_, 1, bytes_of(image_), length);
    if (!status.succeeded()) return status;
    status = nt_.create_process(made_.process, process_access::all, {}, kCurrentProcess,
                                request_.inherit_handles, section_, 0, 0);
    if (!status.succeeded()) return status;
    std::uint32_t answered = 0;
    ProcessBasicInformation basic;
    status = nt_.query_information_process(made_.process, 0, bytes_of(basic), answered);
    peb_ = basic.peb;
    made_.process_id = static_cast<std::uint32_t>(basic.id);
    return status;
  }

  NtStatus give_parameters() {
    // The address is not known before the block is allocated, and the block not before its address.
    const ProcessParameters parameters = parameters_of(request_, path_, line_);
    if (!parameters_fit(parameters)) return status::name_too_long;
    std::uint64_t base = 0;
    std::uint64_t size = parameters_size(parameters);
    NtStatus status = nt_.allocate_virtual_memory(made_.process, base, 0, size,
                                                  mem::commit | mem::reserve, page::readwrite);
    if (!status.succeeded()) return status;
    status = write(base, build_parameters(parameters, base));
    if (!status.succeeded()) return status;
    return write(peb_ + kPebParameters, std::as_bytes(std::span(&base, 1)));
  }

  /// Standard handles that are not inherited are duplicated, and the block is told.
  NtStatus give_handles() {
    if (request_.inherit_handles) return status::success;

    struct Standard {
      HandleValue handle;
      std::uint64_t offset;
    };

    for (const auto& [handle, offset] :
         {Standard{request_.standard_input, 0x20}, Standard{request_.standard_output, 0x28},
          Standard{request_.standard_error, 0x30}}) {
      if (handle == 0) continue;
      HandleValue copy = 0;
      NtStatus status = nt_.duplicate_object(kCurrentProcess, handle, made_.process, copy, 0, 0,
                                             duplicate_option::same_access);
      if (!status.succeeded()) return status;
      std::uint64_t block = 0;
      status = read(peb_ + kPebParameters, bytes_of(block));
      if (!status.succeeded()) return status;
      status = write(block + offset, std::as_bytes(std::span(&copy, 1)));
      if (!status.succeeded()) return status;
    }
    return status::success;
  }

  NtStatus make_stack() {
    if (request_.without_stack) return status::success;
    const std::uint64_t reserve =
        whole_pages(image_.maximum_stack_size != 0 ? image_.maximum_stack_size : kDefaultStack);
    const std::uint64_t commit = std::clamp<std::uint64_t>(whole_pages(image_.committed_stack_size),
                                                           kNtPageSize, reserve - 2 * kNtPageSize);
    std::uint64_t base = 0;
    std::uint64_t size = reserve;
    NtStatus status =
        nt_.allocate_virtual_memory(made_.process, base, 0, size, mem::reserve, page::readwrite);
    if (!status.succeeded()) return status;
    // One page more than asked for, which becomes the guard.
    std::uint64_t guard = base + reserve - commit - kNtPageSize;
    size = commit + kNtPageSize;
    status =
        nt_.allocate_virtual_memory(made_.process, guard, 0, size, mem::commit, page::readwrite);
    if (!status.succeeded()) return status;
    std::uint64_t guarded = kNtPageSize;
    std::uint32_t old = 0;
    status = nt_.protect_virtual_memory(made_.process, guard, guarded,
                                        page::readwrite | page::guard, old);
    if (!status.succeeded()) return status;
    stack_ = {.stack_base = base + reserve,
              .stack_limit = guard + kNtPageSize,
              .stack_allocation_base = base};
    return push_arguments();
  }

  /// {argc, argv[0].., 0, strings} below the stack's base; rsp goes below them.
  NtStatus push_arguments() {
    const std::vector<std::string> words = split_command_line(line_);
    std::vector<std::uint64_t> table(words.size() + 2);
    table[0] = words.size();
    std::vector<char16_t> text;
    for (std::size_t i = 0; i < words.size(); ++i) {
      table[i + 1] = text.size() * sizeof(char16_t);
      const std::u16string wide = utf16_of(words[i]);
      text.insert(text.end(), wide.begin(), wide.end());
      text.push_back(u'\0');
    }
    const std::uint64_t table_size = table.size() * sizeof table[0];
    const std::uint64_t all = table_size + text.size() * sizeof text[0];
    if (all > kNtPageSize / 2) {  // a long line: what it says stands in the parameters anyway
      table = {0, 0};
      text.clear();
    }
    arguments_ = (stack_.stack_base - std::min(all, kNtPageSize / 2)) & ~std::uint64_t{15};
    for (std::size_t i = 1; i + 1 < table.size(); ++i) table[i] += arguments_ + table_size;
    const NtStatus status = write(arguments_, std::as_bytes(std::span(table)));
    if (!status.succeeded() || text.empty()) return status;
    return write(arguments_ + table_size, std::as_bytes(std::span(text)));
  }

  /// Where the image runs: its headers in the child say it, wherever they were mapped.
  NtStatus entry_point(std::uint64_t& entry) {
    std::uint64_t image = 0;
    std::uint32_t header = 0;
    std::uint32_t rva = 0;
    NtStatus status = read(peb_ + kPebImageBase, bytes_of(image));
    if (status.succeeded()) status = read(image + 0x3C, bytes_of(header));
    if (status.succeeded()) status = read(image + header + 24 + 16, bytes_of(rva));
    entry = image + rva;
    return status;
  }

  NtStatus make_thread() {
    NtContext context;
    std::uint64_t entry = 0;
    NtStatus status = entry_point(entry);
    if (!status.succeeded()) return status;
    context.registers.rip = entry;
    // Room for the four register arguments, and as after a call: 16-aligned + 8.
    context.registers.general[kRsp] = arguments_ != 0 ? arguments_ - 0x28 : 0;
    context.registers.general[kRcx] = peb_;
    context.registers.general[kRdx] = arguments_;
    ClientId id;
    status = nt_.create_thread(made_.thread, thread_access::all, {}, made_.process, id, &context,
                               stack_, true);
    made_.thread_id = static_cast<std::uint32_t>(id.thread);
    return status;
  }

  NtStatus read(std::uint64_t address, std::span<std::byte> to) {
    std::size_t done = 0;
    return nt_.read_virtual_memory(made_.process, address, to, done);
  }

  NtStatus write(std::uint64_t address, std::span<const std::byte> from) {
    std::size_t done = 0;
    return nt_.write_virtual_memory(made_.process, address, from, done);
  }

  template <typename T>
  static std::span<std::byte> bytes_of(T& value) {
    return std::as_writable_bytes(std::span(&value, 1));
  }

  NtApi& nt_;
  const CreateProcessRequest& request_;
  const std::string& path_;
  const std::string& line_;
  NtStatus failure_ = status::success;
  ProcessInformation made_;
  HandleValue file_ = 0, section_ = 0;
  ImageInformation image_;
  InitialTeb stack_;
  std::uint64_t peb_ = 0, arguments_ = 0;
};

NtStatus create_modern(NtApi& nt, const CreateProcessRequest& request, const std::string& path,
                       const std::string& line, ProcessInformation& made) {
  const ProcessParameters parameters = parameters_of(request, path, line);
  UserProcessInfo info;
  UserProcessAttributes attributes;
  attributes.image_name = native_path(path);
  attributes.parent = request.parent;
  attributes.token = request.token;
  attributes.handle_list = request.handle_list;
  attributes.protection_level = request.protection_level;
  const std::uint32_t flags = (request.inherit_handles ? kInheritHandles : 0) |
                              (request.protected_process ? kProtectedProcess : 0);
  ProcessInformation result;
  NtStatus status = nt.create_user_process(result.process, result.thread, access::maximum_allowed,
                                           access::maximum_allowed, {}, {}, flags, kThreadSuspended,
                                           &parameters, info, attributes);
  if (!status.succeeded()) return status;
  result.process_id = static_cast<std::uint32_t>(attributes.client_id.process);
  result.thread_id = static_cast<std::uint32_t>(attributes.client_id.thread);
  for (const HandleValue handle : {info.section, info.file})
    if (handle != 0) (void)nt.close(handle);
  if (request.subsystem) request.subsystem(result);
  if (!request.suspended) {
    std::uint32_t previous = 0;
    status = nt.resume_thread(result.thread, previous);
    if (!status.succeeded()) {
      (void)nt.terminate_process(result.process, status);
      (void)nt.close(result.thread);
      (void)nt.close(result.process);
      return status;
    }
  }
  made = result;
  return status::success;
}

}  // namespace

Win32Error create_process(Win32& win32, const CreateProcessRequest& request,
                          ProcessInformation& made, NtStatus* native) {
  NtStatus ignored = status::success;
  NtStatus& told = native != nullptr ? *native : ignored;
  told = status::invalid_parameter;
  if (!request.application && !request.command_line) return win32_error::invalid_parameter;
  std::string path;
  if (request.application) {
    path = *request.application;
  } else if (const auto words = split_command_line(*request.command_line); !words.empty()) {
    path = words.front();
  }
  if (path.empty()) return win32_error::invalid_parameter;
  const std::string line = request.command_line ? *request.command_line : quote_argument(path);
  NtApi& nt = win32.nt();
  const bool classic = request.classic || nt.executive().options().profile == NtProfile::nt52;
  if (classic) {
    const bool modern_only = request.protected_process || request.parent || request.token ||
                             request.handle_list || request.protection_level;
    if (modern_only) return win32_error::invalid_parameter;
    ClassicCreation creation(nt, request, path, line);
    told = creation.run(made);
  } else {
    told = create_modern(nt, request, path, line, made);
  }
  return told.succeeded() ? win32_error::success : win32_error_of(told);
}

std::vector<std::string> split_command_line(std::string_view line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  // The first word is a path: quotes only enclose it, and no backslash is special.
  if (!line.empty()) {
    std::string word;
    bool inside = false;
    for (; at < line.size() && (inside || (line[at] != ' ' && line[at] != '\t')); ++at) {
      if (line[at] == '"')
        inside = !inside;
      else
        word += line[at];
    }
    words.push_back(std::move(word));
  }
  while (true) {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
    if (at == line.size()) return words;
    std::string word;
    bool inside = false;
    for (; at < line.size() && (inside || (line[at] != ' ' && line[at] != '\t')); ++at) {
      std::size_t backslashes = 0;
      while (at < line.size() && line[at] == '\\') {
        ++backslashes;
        ++at;
      }
      const bool quote = at < line.size() && line[at] == '"';
      word.append(quote ? backslashes / 2 : backslashes, '\\');
      if (quote && backslashes % 2 != 0) {
        word += '"';
      } else if (quote && inside && at + 1 < line.size() && line[at + 1] == '"') {
        word += '"';
        ++at;
      } else if (quote) {
        inside = !inside;
      } else if (backslashes != 0) {
        --at;  // this character is looked at again, for it may end the word
      } else {
        word += line[at];
      }
    }
    words.push_back(std::move(word));
  }
}

std::string quote_argument(std::string_view argument) {
  if (!argument.empty() && argument.find_first_of(" \t\"") == std::string_view::npos)
    return std::string(argument);
  std::string text = "\"";
  std::size_t backslashes = 0;
  for (const char c : argument) {
    // Backslashes count twice before a quote, and once elsewhere.
    if (c == '"') text.append(backslashes + 1, '\\');
    backslashes = c == '\\' ? backslashes + 1 : 0;
    text += c;
  }
  text.append(backslashes, '\\');
  return text + '"';
}

}  // namespace doppel
