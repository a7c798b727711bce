// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include <cli/render/json.h>
#include <cli/render/quantity.h>

namespace doppel {

void put_omissions(JsonWriter& json, const std::vector<Omission>& omissions) {
  json.begin_array("omissions");
  for (const Omission& each : omissions) {
    json.begin_object();
    json.text("what", each.what);
    json.hex("address", each.range.begin.value);
    json.number("size", each.range.size);
    json.text("why", each.why);
    json.boolean("asked", each.asked);
    json.end_object();
  }
  json.end_array();
}

std::string capture_json(const CaptureReport& report) {
  const ProcessInfo& process = report.process;
  JsonWriter json;
  json.begin_object();
  json.number("schema", 1);
  json.text("dump", report.dump.value_or("-"));
  json.signed_number("pid", process.pid);
  json.text("comm", process.comm);
  json.text("executable", process.executable);
  json.text("captured_at", utc_text(process.captured_at_ns));
  json.text("engine", process.engine);
  json.text("consistency", process.consistency);
  json.text("format", report.format);
  json.boolean("compressed", report.compressed);
  json.number("pause_us", process.timings.pause_us);
  json.number("running_pause_us", process.timings.running_pause_us);
  json.number("predicted_pause_us", process.timings.predicted_pause_us);
  json.number("clone_us", process.timings.clone_us);
  json.number("injection_us", process.timings.injection_us);
  json.number("threads", report.threads);
  json.number("regions", report.regions);
  json.number("memory_bytes", report.memory_bytes);
  json.number("dump_bytes", report.dump_bytes);
  json.number("write_ms", report.write_ms);
  if (report.cut_short)
    json.text("cut_short", *report.cut_short);
  else
    json.null("cut_short");
  put_omissions(json, report.omissions);
  json.begin_array("torn");
  for (const TornRange& each : report.torn) {
    json.begin_object();
    json.hex("address", each.range.begin.value);
    json.number("size", each.range.size);
    json.text("why", each.why);
    json.end_object();
  }
  json.end_array();
  json.begin_array("notes");
  for (const std::string& note : report.notes) json.text(note);
  json.end_array();
  json.end_object();
  return std::move(json).take() + "\n";
}

std::string error_json(const Message& message) {
  JsonWriter json;
  json.begin_object();
  json.number("schema", 1);
  json.begin_object("error");
  json.number("exit", static_cast<unsigned>(message.exit));
  json.text("what", message.what);
  json.text("why", message.why);
  json.text("next", message.next);
  json.end_object();
  json.end_object();
  return std::move(json).take() + "\n";
}

}  // namespace doppel
