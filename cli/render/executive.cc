// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include <cli/render/executive.h>
#include <cli/render/json.h>
#include <dumpwriter/elf/json_writer.h>
#include <snapshot/executive/nt_status_name.h>

namespace doppel {
namespace {

std::string_view profile_name(NtProfile profile) {
  switch (profile) {
    case NtProfile::nt52:
      return "nt52";
    case NtProfile::nt60:
      return "nt60";
    case NtProfile::nt63:
      break;
  }
  return "nt63";
}

std::string_view end_name(GuestEnd end) {
  switch (end) {
    case GuestEnd::exited:
      return "exited";
    case GuestEnd::crashed:
      return "crashed";
    case GuestEnd::deadlock:
      return "deadlock";
    case GuestEnd::idle:
      return "idle";
    case GuestEnd::max_steps:
      break;
  }
  return "max_steps";
}

std::string hexadecimal(NtStatus status) {
  return fmt::format("0x{:08x}", status.value);
}

void put_crash(JsonWriter& json, const CrashMessage& crash) {
  json.begin_object("crash");
  json.number("pid", crash.process);
  json.number("tid", crash.thread);
  json.text("code", hexadecimal(crash.record.code));
  json.text("name", nt_status_name(crash.record.code));
  json.hex("address", crash.record.address);
  json.begin_array("parameters");
  for (std::uint32_t i = 0; i < crash.record.parameter_count; ++i)
    json.text(fmt::format("{:#x}", crash.record.parameters.at(i)));
  json.end_array();
  json.end_object();
}

void put_instance(JsonWriter& json, const GuestInstance& instance) {
  json.begin_object();
  json.number("pid", instance.process);
  json.text("end", end_name(instance.end));
  if (instance.exit_status == status::pending) {
    json.null("exit_status");
  } else {
    json.text("exit_status", hexadecimal(instance.exit_status));
  }
  json.number("steps", instance.steps);
  json.begin_array("opens");
  for (const GuestOpen& open : instance.opens) {
    json.begin_object();
    json.text("call", open.call);
    json.text("status", hexadecimal(open.status));
    json.end_object();
  }
  json.end_array();
  if (instance.crash) {
    put_crash(json, *instance.crash);
  } else {
    json.null("crash");
  }
  json.end_object();
}

}  // namespace

std::string status_text(NtStatus status) {
  const std::string_view name = nt_status_name(status);
  return fmt::format("{:08X}{}{}", status.value, name.empty() ? "" : " ", name);
}

std::string trace_line(const TraceEvent& event) {
  return fmt::format("{:>10} {:>4}.{:<4} {:<28} {}\n", event.step, event.process, event.thread,
                     event.call, status_text(event.status));
}

std::string crash_text(const CrashMessage& crash) {
  const ExceptionRecord& record = crash.record;
  std::string text = status_text(record.code);
  const bool names_address =
      record.parameter_count >= 2 &&
      (record.code == status::access_violation || record.code == status::guard_page_violation ||
       record.code == status::in_page_error);
  if (names_address) {
    const std::uint64_t kind = record.parameters[0];
    text += fmt::format(" {} {:#x}",
                        kind == 0   ? "reading"
                        : kind == 1 ? "writing"
                                    : "executing",
                        record.parameters[1]);
  }
  return text + fmt::format(" at {:#x}", record.address);
}

std::string instance_text(const GuestInstance& instance, const std::string& program) {
  std::string text;
  for (const GuestOpen& open : instance.opens)
    text += fmt::format("  {:<16}{}\n", open.call, status_text(open.status));
  text += fmt::format("{} {} ", program, instance.process);
  switch (instance.end) {
    case GuestEnd::crashed:
      text += "crashed: " + crash_text(*instance.crash);
      break;
    case GuestEnd::exited:
      text += "ended with " + status_text(instance.exit_status);
      break;
    case GuestEnd::deadlock:
      text += "waits for what nobody will do";
      break;
    case GuestEnd::idle:
      text += "has no thread that may run";
      break;
    case GuestEnd::max_steps:
      text += "runs still; --max-steps reached";
      break;
  }
  return text + fmt::format(", after {} steps\n", instance.steps);
}

std::string executive_json(const ExecutiveRunOptions& options, const ExecutiveReport& report) {
  JsonWriter json;
  json.begin_object();
  json.number("schema", 1);
  json.text("guest", options.guest);
  json.text("profile", profile_name(options.profile));
  json.number("seed", options.seed);
  json.number("steps", report.steps);
  json.hex("trace_hash", report.trace_hash);
  if (report.unknown_instruction.empty()) {
    json.null("unknown_instruction");
  } else {
    json.text("unknown_instruction", report.unknown_instruction);
  }
  json.begin_array("instances");
  for (const GuestInstance& instance : report.instances) put_instance(json, instance);
  json.end_array();
  if (report.cloned) {
    json.begin_object("clone");
    json.boolean("inherited_handles", options.inherit_handles);
    json.number("threads", report.clone_threads);
    json.number("regions", report.clone_regions);
    json.end_object();
  } else {
    json.null("clone");
  }
  if (report.dump) {
    json.text("dump", *report.dump);
  } else {
    json.null("dump");
  }
  json.number("dump_bytes", report.dump_bytes);
  json.number("memory_bytes", report.memory_bytes);
  json.begin_array("beside");
  for (const std::string& path : report.beside) json.text(path);
  json.end_array();
  put_omissions(json, report.omissions);
  json.end_object();
  return std::move(json).take() + "\n";
}

}  // namespace doppel
