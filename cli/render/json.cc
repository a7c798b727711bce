// SPDX-License-Identifier: Apache-2.0
#include <cli/render/json.h>
#include <cli/render/json_writer.h>
#include <cli/render/quantity.h>

namespace doppel {

std::string capture_json(const CaptureReport& report) {
  const ProcessInfo& process = report.process;
  JsonWriter json;
  json.begin_object().key("schema").number(1);
  json.key("dump").text(report.dump.value_or("-"));
  json.key("pid").number(process.pid);
  json.key("comm").text(process.comm);
  json.key("executable").text(process.executable);
  json.key("captured_at").text(utc_text(process.captured_at_ns));
  json.key("engine").text(process.engine);
  json.key("consistency").text(process.consistency);
  json.key("format").text(report.format);
  json.key("compressed").boolean(report.compressed);
  json.key("pause_us").number(process.timings.pause_us);
  json.key("running_pause_us").number(process.timings.running_pause_us);
  json.key("predicted_pause_us").number(process.timings.predicted_pause_us);
  json.key("clone_us").number(process.timings.clone_us);
  json.key("injection_us").number(process.timings.injection_us);
  json.key("threads").number(report.threads);
  json.key("regions").number(report.regions);
  json.key("memory_bytes").number(report.memory_bytes);
  json.key("dump_bytes").number(report.dump_bytes);
  json.key("write_ms").number(report.write_ms);
  json.key("cut_short");
  if (report.cut_short)
    json.text(*report.cut_short);
  else
    json.null();
  json.key("omissions").begin_array();
  for (const Omission& each : report.omissions) {
    json.begin_object().key("what").text(each.what);
    json.key("address").address(each.range.begin.value);
    json.key("size").number(each.range.size);
    json.key("why").text(each.why);
    json.key("asked").boolean(each.asked).end_object();
  }
  json.end_array().key("torn").begin_array();
  for (const TornRange& each : report.torn) {
    json.begin_object().key("address").address(each.range.begin.value);
    json.key("size").number(each.range.size);
    json.key("why").text(each.why).end_object();
  }
  json.end_array().key("notes").begin_array();
  for (const std::string& note : report.notes) json.text(note);
  json.end_array().end_object();
  return json.str() + "\n";
}

std::string error_json(const Message& message) {
  JsonWriter json;
  json.begin_object().key("schema").number(1).key("error").begin_object();
  json.key("exit").number(static_cast<int>(message.exit));
  json.key("what").text(message.what);
  json.key("why").text(message.why);
  json.key("next").text(message.next);
  json.end_object().end_object();
  return json.str() + "\n";
}

}  // namespace doppel
