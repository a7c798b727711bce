// SPDX-License-Identifier: Apache-2.0
#include <llvm/Support/JSON.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include <dumpwriter/read/manifest_reader.h>

namespace doppel {

namespace {

using Object = llvm::json::Object;
using Array = llvm::json::Array;
using Value = llvm::json::Value;

constexpr int kSchema = 1;
constexpr unsigned kMaxDepth = 64;
constexpr std::size_t kMaxZeroFilled = 4096;

/// LLVM's parser calls itself for each level, without a limit: a megabyte of '[' would end us.
bool nested_too_deep(std::string_view json) {
  unsigned depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Result<Value> parse(std::string_view json) {
  if (nested_too_deep(json)) return fail(Errc::malformed, "read manifest: nested too deep");
  llvm::Expected<Value> value = llvm::json::parse({json.data(), json.size()});
  if (!value) {
    return fail(Errc::malformed, "read manifest", llvm::toString(value.takeError()));
  }
  return std::move(*value);
}

std::optional<std::vector<std::byte>> from_hex(llvm::StringRef digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::vector<std::byte> bytes(digits.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned value = 0;
    const char* const begin = digits.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, value, 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
    bytes[i] = static_cast<std::byte>(value);
  }
  return bytes;
}

/// A text that was not valid UTF-8 stands there in hex as well, and that is the exact one.
void get(const Object& from, llvm::StringRef key, std::string& to) {
  if (const auto exact = from.getString((key + "_bytes").str())) {
    if (const auto bytes = from_hex(*exact)) {
      to.assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
      return;
    }
  }
  if (const auto text = from.getString(key)) to = text->str();
}

void get(const Object& from, llvm::StringRef key, std::vector<std::byte>& to) {
  if (const auto text = from.getString(key)) {
    if (auto bytes = from_hex(*text)) to = std::move(*bytes);
  }
}

void get(const Object& from, llvm::StringRef key, bool& to) {
  if (const auto value = from.getBoolean(key)) to = *value;
}

void get(const Object& from, llvm::StringRef key, char& to) {
  if (const auto text = from.getString(key); text && text->size() == 1) to = text->front();
}

/// A JSON number, or the "0x..." of what may be too large for one.
template <class T>
  requires std::is_unsigned_v<T>
void get(const Object& from, llvm::StringRef key, T& to) {
  const Value* const value = from.get(key);
  if (value == nullptr) return;
  if (const auto plain = value->getAsUINT64()) {
    to = static_cast<T>(*plain);
  } else if (const auto text = value->getAsString(); text && text->starts_with("0x")) {
    std::uint64_t number = 0;
    if (!text->drop_front(2).getAsInteger(16, number)) to = static_cast<T>(number);
  }
}

void get(const Object& from, llvm::StringRef key, std::int32_t& to) {
  if (const auto value = from.getInteger(key)) to = static_cast<std::int32_t>(*value);
}

void get(const Object& from, AddressRange& to) {
  get(from, "address", to.begin.value);
  get(from, "size", to.size);
}

template <class F>
void for_each_object(const Object& from, llvm::StringRef key, F&& take) {
  const Array* const array = from.getArray(key);
  if (array == nullptr) return;
  for (const Value& value : *array) {
    if (const Object* const object = value.getAsObject()) take(*object);
  }
}

void read_arguments(const Object& from, std::vector<std::string>& to) {
  const Array* const array = from.getArray("arguments");
  if (array == nullptr) return;
  for (const Value& value : *array) {
    std::string text;
    if (const auto plain = value.getAsString()) text = plain->str();
    if (const Object* const both = value.getAsObject()) {
      get(*both, "text", text);
      std::vector<std::byte> exact;
      get(*both, "bytes", exact);
      if (!exact.empty()) text.assign(reinterpret_cast<const char*>(exact.data()), exact.size());
    }
    to.push_back(std::move(text));
  }
}

void read_process(const Object& from, ProcessInfo& process) {
  get(from, "pid", process.pid);
  get(from, "parent", process.parent);
  get(from, "group", process.group);
  get(from, "session", process.session);
  get(from, "namespace_pid", process.namespace_pid);
  get(from, "namespace_parent", process.namespace_parent);
  get(from, "namespace_group", process.namespace_group);
  get(from, "namespace_session", process.namespace_session);
  get(from, "uid", process.uid);
  get(from, "gid", process.gid);
  get(from, "comm", process.comm);
  get(from, "executable", process.executable);
  read_arguments(from, process.arguments);
  get(from, "state", process.state);
  get(from, "nice", process.nice);
  get(from, "flags", process.flags);
  get(from, "user_time_us", process.user_time_us);
  get(from, "system_time_us", process.system_time_us);
  get(from, "children_user_time_us", process.children_user_time_us);
  get(from, "children_system_time_us", process.children_system_time_us);
  get(from, "signals_pending", process.signals_pending);
  get(from, "signals_blocked", process.signals_blocked);
  get(from, "coredump_filter", process.coredump_filter);
  get(from, "start_ticks", process.start_ticks);
}

void read_capture(const Object& from, ProcessInfo& process) {
  get(from, "tool", process.tool);
  get(from, "engine", process.engine);
  get(from, "consistency", process.consistency);
  get(from, "kernel", process.kernel);
  if (const Array* const remarks = from.getArray("remarks")) {
    for (const Value& remark : *remarks) {
      if (const auto text = remark.getAsString()) process.remarks.push_back(text->str());
    }
  }
  if (const auto instant = from.getString("captured_at_ns")) {
    std::int64_t number = 0;
    if (!instant->getAsInteger(10, number)) process.captured_at_ns = number;
  }
  if (const Object* const timings = from.getObject("timings")) {
    get(*timings, "pause_us", process.timings.pause_us);
    get(*timings, "running_pause_us", process.timings.running_pause_us);
    get(*timings, "predicted_pause_us", process.timings.predicted_pause_us);
    get(*timings, "clone_us", process.timings.clone_us);
    get(*timings, "injection_us", process.timings.injection_us);
  }
}

std::optional<Fault> read_fault(const Object& from) {
  const Object* const object = from.getObject("fault");
  if (object == nullptr) return std::nullopt;
  Fault fault;
  get(*object, "tid", fault.thread);
  get(*object, "number", fault.number);
  get(*object, "code", fault.code);
  get(*object, "address", fault.address.value);
  get(*object, "siginfo", fault.siginfo);
  return fault;
}

Thread read_thread(const Object& from) {
  Thread thread;
  get(from, "tid", thread.id);
  get(from, "namespace_tid", thread.namespace_id);
  get(from, "name", thread.name);
  get(from, "state", thread.state);
  get(from, "nice", thread.nice);
  get(from, "user_time_us", thread.user_time_us);
  get(from, "system_time_us", thread.system_time_us);
  get(from, "signals_pending", thread.signals_pending);
  get(from, "signals_blocked", thread.signals_blocked);
  get(from, "siginfo", thread.siginfo);
  get(from, "registers_complete", thread.registers.complete);
  return thread;
}

void read_traits(const Object& from, RegionTraits& traits) {
  const Array* const array = from.getArray("traits");
  if (array == nullptr) return;
  const std::pair<bool*, llvm::StringRef> names[] = {
      {&traits.dont_dump, "dont_dump"},
      {&traits.dont_fork, "dont_fork"},
      {&traits.wipe_on_fork, "wipe_on_fork"},
      {&traits.droppable, "droppable"},
      {&traits.io, "io"},
      {&traits.pfn_map, "pfn_map"},
      {&traits.huge_tlb, "huge_tlb"},
      {&traits.sealed, "sealed"},
      {&traits.stack, "stack"},
      {&traits.userfault, "userfault"},
      {&traits.userfault_missing, "userfault_missing"},
      {&traits.guard, "guard"},
      {&traits.secret, "secret"},
      {&traits.accountable, "accountable"},
      {&traits.dax, "dax"},
  };
  static_assert(sizeof(RegionTraits) == std::size(names), "a trait is missing here");
  for (const Value& value : *array) {
    const auto text = value.getAsString();
    for (const auto& [trait, name] : names) {
      if (text == name) *trait = true;
    }
  }
}

Backing backing_of(llvm::StringRef name) {
  const std::pair<Backing, llvm::StringRef> names[] = {
      {Backing::file, "file"},     {Backing::shared_memory, "shared_memory"},
      {Backing::device, "device"}, {Backing::vdso, "vdso"},
      {Backing::vvar, "vvar"},     {Backing::vsyscall, "vsyscall"},
  };
  for (const auto& [backing, text] : names) {
    if (name == text) return backing;
  }
  return Backing::anonymous;
}

Region read_region(const Object& from) {
  Region region;
  get(from, region.range);
  if (const auto access = from.getString("access")) {
    region.access = {.read = access->contains('r'),
                     .write = access->contains('w'),
                     .execute = access->contains('x')};
  }
  if (from.getString("sharing") == llvm::StringRef("shared")) region.sharing = Sharing::shared;
  if (const auto backing = from.getString("backing")) region.backing = backing_of(*backing);
  read_traits(from, region.traits);
  get(from, "path", region.path);
  get(from, "deleted", region.deleted);
  get(from, "file_offset", region.file_offset);
  get(from, "inode", region.inode);
  get(from, "device_major", region.device_major);
  get(from, "device_minor", region.device_minor);
  get(from, "resident", region.resident);
  get(from, "anonymous", region.anonymous);
  get(from, "anonymous_huge", region.anonymous_huge);
  get(from, "swapped", region.swapped);
  return region;
}

Omission read_omission(const Object& from) {
  Omission omission;
  get(from, "what", omission.what);
  get(from, omission.range);
  get(from, "why", omission.why);
  get(from, "asked", omission.asked);
  return omission;
}

Verbatim read_verbatim(const Object& from) {
  Verbatim verbatim;
  get(from, "name", verbatim.name);
  if (const auto text = from.getString("text")) {
    const auto bytes = std::as_bytes(std::span(text->data(), text->size()));
    verbatim.bytes.assign(bytes.begin(), bytes.end());
  }
  get(from, "bytes", verbatim.bytes);
  return verbatim;
}

}  // namespace

Result<Manifest> read_manifest(std::string_view json) {
  const Value value = DOPPEL_TRY(parse(json));
  const Object* const object = value.getAsObject();
  if (object == nullptr) return fail(Errc::malformed, "read manifest: no object");
  if (object->getInteger("schema") != kSchema) {
    return fail(Errc::malformed, "read manifest: a schema that is not known");
  }
  Manifest manifest;
  ProcessImage& image = manifest.image;
  read_capture(*object, image.process);
  if (const Object* const process = object->getObject("process")) {
    read_process(*process, image.process);
  }
  image.fault = read_fault(*object);
  for_each_object(*object, "omissions",
                  [&](const Object& each) { image.omissions.push_back(read_omission(each)); });
  for_each_object(*object, "torn", [&](const Object& each) {
    TornRange torn;
    get(each, torn.range);
    get(each, "why", torn.why);
    image.torn.push_back(std::move(torn));
  });
  for_each_object(*object, "threads", [&](const Object& each) {
    image.threads.push_back(read_thread(each));
    bool fxsave = true;
    get(each, "fxsave", fxsave);
    manifest.own_fxsave.push_back(fxsave);
  });
  for_each_object(*object, "modules", [&](const Object& each) {
    Module module;
    get(each, module.range);
    get(each, "path", module.path);
    get(each, "build_id", module.build_id);
    image.modules.push_back(std::move(module));
  });
  for_each_object(*object, "regions",
                  [&](const Object& each) { image.regions.push_back(read_region(each)); });
  for_each_object(*object, "verbatim",
                  [&](const Object& each) { image.verbatim.push_back(read_verbatim(each)); });
  return manifest;
}

Result<std::vector<Handle>> read_handles(std::string_view json) {
  const Value value = DOPPEL_TRY(parse(json));
  const Array* const array = value.getAsArray();
  if (array == nullptr) return fail(Errc::malformed, "read handles: no array");
  std::vector<Handle> handles;
  for (const Value& each : *array) {
    const Object* const object = each.getAsObject();
    if (object == nullptr) continue;
    Handle handle;
    get(*object, "number", handle.number);
    get(*object, "kind", handle.kind);
    get(*object, "target", handle.target);
    get(*object, "flags", handle.flags);
    get(*object, "position", handle.position);
    handles.push_back(std::move(handle));
  }
  return handles;
}

Result<WriterReport> read_writer_report(std::string_view json) {
  const Value value = DOPPEL_TRY(parse(json));
  const Object* const object = value.getAsObject();
  if (object == nullptr) return fail(Errc::malformed, "read writer's report: no object");
  WriterReport report;
  get(*object, "complete", report.complete);
  get(*object, "cut_short", report.cut_short);
  for_each_object(*object, "zero_filled", [&](const Object& each) {
    if (report.zero_filled.size() >= kMaxZeroFilled) return;
    Omission omission{.what = "memory", .range = {}, .why = {}, .asked = false};
    get(each, omission.range);
    get(each, "why", omission.why);
    report.zero_filled.push_back(std::move(omission));
  });
  return report;
}

}  // namespace doppel
