// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>
#include <utility>

#include <dumpwriter/elf/json_writer.h>
#include <dumpwriter/elf/manifest.h>
#include <dumpwriter/elf/notes.h>

namespace doppel {

namespace {

std::string_view name_of(Backing backing) {
  switch (backing) {
    case Backing::anonymous:
      return "anonymous";
    case Backing::file:
      return "file";
    case Backing::shared_memory:
      return "shared_memory";
    case Backing::device:
      return "device";
    case Backing::vdso:
      return "vdso";
    case Backing::vvar:
      return "vvar";
    case Backing::vsyscall:
      return "vsyscall";
  }
  return "";
}

std::string_view name_of(Content content) {
  switch (content) {
    case Content::bytes:
      return "bytes";
    case Content::zero:
      return "zero";
    case Content::in_file:
      return "in_file";
  }
  return "";
}

void range(JsonWriter& json, const AddressRange& range) {
  json.hex("address", range.begin.value);
  json.number("size", range.size);
}

void number_unless_zero(JsonWriter& json, std::string_view key, std::uint64_t value) {
  if (value != 0) json.number(key, value);
}

void text_unless_empty(JsonWriter& json, std::string_view key, std::string_view value) {
  if (!value.empty()) json.text(key, value);
}

void bytes_unless_empty(JsonWriter& json, std::string_view key,
                        const std::vector<std::byte>& value) {
  if (!value.empty()) json.bytes(key, value);
}

void put_capture(JsonWriter& json, const ProcessInfo& process) {
  json.text("tool", process.tool);
  json.text("engine", process.engine);
  json.text("consistency", process.consistency);
  json.text("kernel", process.kernel);
  if (!process.remarks.empty()) {
    json.begin_array("remarks");
    for (const std::string& remark : process.remarks) json.text(remark);
    json.end_array();
  }
  // Decimal digits in a string: nanoseconds since 1970 exceed what a double holds exactly.
  json.text("captured_at_ns", std::to_string(process.captured_at_ns));
  json.begin_object("timings");
  const CaptureTimings& timings = process.timings;
  json.number("pause_us", timings.pause_us);
  json.number("running_pause_us", timings.running_pause_us);
  json.number("predicted_pause_us", timings.predicted_pause_us);
  json.number("clone_us", timings.clone_us);
  json.number("injection_us", timings.injection_us);
  json.end_object();
}

void put_process(JsonWriter& json, const ProcessInfo& process) {
  json.begin_object("process");
  json.signed_number("pid", process.pid);
  json.signed_number("parent", process.parent);
  json.signed_number("group", process.group);
  json.signed_number("session", process.session);
  json.signed_number("namespace_pid", process.namespace_pid);
  json.signed_number("namespace_parent", process.namespace_parent);
  json.signed_number("namespace_group", process.namespace_group);
  json.signed_number("namespace_session", process.namespace_session);
  json.number("uid", process.uid);
  json.number("gid", process.gid);
  json.text("comm", process.comm);
  json.text("executable", process.executable);
  json.begin_array("arguments");
  for (const std::string& argument : process.arguments) json.text(argument);
  json.end_array();
  json.text("state", std::string_view(&process.state, 1));
  json.signed_number("nice", process.nice);
  json.hex("flags", process.flags);
  json.number("user_time_us", process.user_time_us);
  json.number("system_time_us", process.system_time_us);
  json.number("children_user_time_us", process.children_user_time_us);
  json.number("children_system_time_us", process.children_system_time_us);
  json.hex("signals_pending", process.signals_pending);
  json.hex("signals_blocked", process.signals_blocked);
  json.hex("coredump_filter", process.coredump_filter);
  json.number("start_ticks", process.start_ticks);
  json.end_object();
}

void put_fault(JsonWriter& json, const std::optional<Fault>& fault) {
  if (!fault) {
    json.null("fault");
    return;
  }
  json.begin_object("fault");
  json.signed_number("tid", fault->thread);
  json.number("number", fault->number);
  json.signed_number("code", fault->code);
  json.hex("address", fault->address.value);
  bytes_unless_empty(json, "siginfo", fault->siginfo);
  json.end_object();
}

/// In the image's order, which the notes' may differ from (a fault's thread comes first there).
void put_threads(JsonWriter& json, const std::vector<Thread>& threads) {
  json.begin_array("threads");
  for (const Thread& thread : threads) {
    json.begin_object();
    json.signed_number("tid", thread.id);
    json.signed_number("namespace_tid", thread.namespace_id);
    json.text("name", thread.name);
    json.text("state", std::string_view(&thread.state, 1));
    json.signed_number("nice", thread.nice);
    json.number("user_time_us", thread.user_time_us);
    json.number("system_time_us", thread.system_time_us);
    json.hex("signals_pending", thread.signals_pending);
    json.hex("signals_blocked", thread.signals_blocked);
    bytes_unless_empty(json, "siginfo", thread.siginfo);
    json.boolean("registers_complete", thread.registers.complete);
    // NT_PRFPREG may have been taken from the XSAVE area; says which.
    json.boolean("fxsave", !thread.registers.fxsave.empty());
    json.end_object();
  }
  json.end_array();
}

void put_traits(JsonWriter& json, const RegionTraits& traits) {
  const std::pair<bool, std::string_view> names[] = {
      {traits.dont_dump, "dont_dump"},
      {traits.dont_fork, "dont_fork"},
      {traits.wipe_on_fork, "wipe_on_fork"},
      {traits.droppable, "droppable"},
      {traits.io, "io"},
      {traits.pfn_map, "pfn_map"},
      {traits.huge_tlb, "huge_tlb"},
      {traits.sealed, "sealed"},
      {traits.stack, "stack"},
      {traits.userfault, "userfault"},
      {traits.userfault_missing, "userfault_missing"},
      {traits.guard, "guard"},
      {traits.secret, "secret"},
      {traits.accountable, "accountable"},
      {traits.dax, "dax"},
  };
  static_assert(sizeof(RegionTraits) == std::size(names), "a trait is missing here");
  json.begin_array("traits");
  for (const auto& [set, name] : names) {
    if (set) json.text(name);
  }
  json.end_array();
}

/// How much of the region stands in the dump as what. `segment` is the first one not before it.
void put_content(JsonWriter& json, std::size_t region, const std::vector<Segment>& segments,
                 std::size_t& segment) {
  std::uint64_t sizes[3] = {};
  for (; segment < segments.size() && segments[segment].region == region; ++segment) {
    sizes[static_cast<std::size_t>(segments[segment].content)] += segments[segment].range.size;
  }
  json.begin_object("dumped");
  for (const Content content : {Content::bytes, Content::zero, Content::in_file}) {
    number_unless_zero(json, name_of(content), sizes[static_cast<std::size_t>(content)]);
  }
  json.end_object();
}

void put_regions(JsonWriter& json, const std::vector<Region>& regions,
                 const std::vector<Segment>& segments) {
  json.begin_array("regions");
  std::size_t segment = 0;
  for (std::size_t index = 0; index < regions.size(); ++index) {
    const Region& region = regions[index];
    json.begin_object();
    range(json, region.range);
    const char access[] = {region.access.read ? 'r' : '-', region.access.write ? 'w' : '-',
                           region.access.execute ? 'x' : '-'};
    json.text("access", std::string_view(access, sizeof access));
    json.text("sharing", region.sharing == Sharing::shared ? "shared" : "private");
    json.text("backing", name_of(region.backing));
    put_traits(json, region.traits);
    text_unless_empty(json, "path", region.path);
    if (region.deleted) json.boolean("deleted", true);
    if (region.file_offset != 0) json.hex("file_offset", region.file_offset);
    if (region.inode != 0) json.hex("inode", region.inode);
    number_unless_zero(json, "device_major", region.device_major);
    number_unless_zero(json, "device_minor", region.device_minor);
    number_unless_zero(json, "resident", region.resident);
    number_unless_zero(json, "anonymous", region.anonymous);
    number_unless_zero(json, "anonymous_huge", region.anonymous_huge);
    number_unless_zero(json, "swapped", region.swapped);
    put_content(json, index, segments, segment);
    json.end_object();
  }
  json.end_array();
}

void put_modules(JsonWriter& json, const std::vector<Module>& modules) {
  json.begin_array("modules");
  for (const Module& module : modules) {
    json.begin_object();
    range(json, module.range);
    json.text("path", module.path);
    bytes_unless_empty(json, "build_id", module.build_id);
    json.end_object();
  }
  json.end_array();
}

void put_omissions(JsonWriter& json, const std::vector<Omission>& omissions) {
  for (const Omission& omission : omissions) {
    json.begin_object();
    json.text("what", omission.what);
    range(json, omission.range);
    json.text("why", omission.why);
    json.boolean("asked", omission.asked);
    json.end_object();
  }
}

void put_torn(JsonWriter& json, const std::vector<TornRange>& torn) {
  json.begin_array("torn");
  for (const TornRange& each : torn) {
    json.begin_object();
    range(json, each.range);
    json.text("why", each.why);
    json.end_object();
  }
  json.end_array();
}

void put_verbatim(JsonWriter& json, const std::vector<Verbatim>& verbatim) {
  json.begin_array("verbatim");
  for (const Verbatim& each : verbatim) {
    // These two are notes of their own, unless there is nothing in them.
    const bool own_note = each.name == verbatim::kAuxv || each.name == verbatim::kXsaveLayout;
    if (own_note && !each.bytes.empty()) continue;
    json.begin_object();
    json.text("name", each.name);
    const std::string_view text(reinterpret_cast<const char*>(each.bytes.data()),
                                each.bytes.size());
    if (is_utf8(text)) {
      json.text("text", text);
    } else {
      json.bytes("bytes", each.bytes);
    }
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string make_manifest(const ProcessImage& image, const Selection& selection) {
  JsonWriter json;
  json.begin_object();
  json.number("schema", kManifestSchema);
  put_capture(json, image.process);
  put_process(json, image.process);
  put_fault(json, image.fault);
  json.begin_array("omissions");
  put_omissions(json, image.omissions);
  put_omissions(json, selection.omissions);
  json.end_array();
  put_torn(json, image.torn);
  put_threads(json, image.threads);
  put_modules(json, image.modules);
  put_regions(json, image.regions, selection.segments);
  put_verbatim(json, image.verbatim);
  json.end_object();
  return std::move(json).take();
}

std::string make_handle_list(const std::vector<Handle>& handles) {
  JsonWriter json;
  json.begin_array();
  for (const Handle& handle : handles) {
    json.begin_object();
    json.number("number", handle.number);
    json.text("kind", handle.kind);
    json.text("target", handle.target);
    json.hex("flags", handle.flags);
    json.hex("position", handle.position);
    json.end_object();
  }
  json.end_array();
  return std::move(json).take();
}

}  // namespace doppel
