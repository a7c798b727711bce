// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cli/render/doctor.h>
#include <cli/render/json_writer.h>
#include <cli/render/quantity.h>

namespace doppel {
namespace {

/// One letter's width, told apart without colour: people paste these into tickets.
std::string mark(bool good, Severity severity, const Style& style) {
  if (good) return style.green("ok  ");
  switch (severity) {
    case Severity::note:
      return style.dim("note");
    case Severity::loses:
      return style.yellow("lose");
    case Severity::forbids_injection:
      return style.yellow("warn");
    case Severity::forbids:
      return style.red("STOP");
  }
  return "    ";
}

std::string entry(const std::string& sign, const std::string& what, const std::string& why,
                  const std::string& remedy, const Style& style) {
  std::string text = "  " + sign + "  " + printable(what);
  if (!why.empty()) text += " (" + printable(why) + ")";
  text += "\n";
  if (!remedy.empty()) text += "        " + style.bold("-> " + printable(remedy)) + "\n";
  return text;
}

std::string verdict(const Diagnosis& diagnosis, const Style& style) {
  if (diagnosis.engine.empty()) return style.red("cannot be captured");
  std::string text = diagnosis.engine == "clone"
                         ? "would be captured by clone"
                         : "would be read directly while it runs, not of one instant";
  if (diagnosis.predicted_pause)
    text += ", with a pause of about " + duration_text(*diagnosis.predicted_pause);
  return diagnosis.engine == "clone" ? style.green(text) : style.yellow(text);
}

}  // namespace

std::string diagnosis_text(const Diagnosis& diagnosis, const Style& style) {
  const std::string name = diagnosis.comm.empty()
                               ? fmt::format("process {}", diagnosis.pid)
                               : fmt::format("{} ({})", printable(diagnosis.comm), diagnosis.pid);
  std::string text = name + ": " + verdict(diagnosis, style) + "\n";
  if (!diagnosis.comm.empty()) {
    text += style.dim(fmt::format("  {} resident, {}, {}", size_text(diagnosis.resident),
                                  count_text(diagnosis.mappings, "mapping", "mappings"),
                                  count_text(diagnosis.threads, "thread", "threads"))) +
            "\n";
  }
  for (const Gate& gate : diagnosis.gates)
    text += entry(mark(false, gate.severity, style), gate.what, gate.why, gate.remedy, style);
  if (diagnosis.gates.empty())
    text += entry(mark(true, {}, style), "nothing in the way", "", "", style);
  return text;
}

std::string diagnosis_json(const Diagnosis& diagnosis) {
  JsonWriter json;
  json.begin_object().key("schema").number(1);
  json.key("pid").number(diagnosis.pid);
  json.key("comm").text(diagnosis.comm);
  json.key("executable").text(diagnosis.executable);
  json.key("exit").number(static_cast<int>(diagnosis.exit));
  json.key("engine");
  if (diagnosis.engine.empty())
    json.null();
  else
    json.text(diagnosis.engine);
  json.key("predicted_pause_us");
  if (diagnosis.predicted_pause)
    json.number(diagnosis.predicted_pause->count());
  else
    json.null();
  json.key("threads").number(diagnosis.threads);
  json.key("regions").number(diagnosis.mappings);
  json.key("memory_bytes").number(diagnosis.resident);
  json.key("gates").begin_array();
  for (const Gate& gate : diagnosis.gates) {
    json.begin_object().key("gate").text(gate_name(gate.id));
    json.key("severity").text(severity_name(gate.severity));
    json.key("what").text(gate.what);
    json.key("why").text(gate.why);
    json.key("remedy").text(gate.remedy).end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

std::string machine_text(const std::vector<Check>& checks, const Style& style) {
  std::string text;
  for (const Check& check : checks) {
    text +=
        entry(mark(check.good, check.severity, style), check.what, check.why, check.remedy, style);
  }
  return text;
}

std::string machine_json(const std::vector<Check>& checks) {
  JsonWriter json;
  json.begin_object().key("schema").number(1);
  json.key("exit").number(static_cast<int>(machine_exit(checks)));
  json.key("checks").begin_array();
  for (const Check& check : checks) {
    json.begin_object().key("check").text(check.name);
    json.key("good").boolean(check.good).key("severity");
    if (check.good)
      json.null();
    else
      json.text(severity_name(check.severity));
    json.key("what").text(check.what);
    json.key("why").text(check.why);
    json.key("remedy").text(check.remedy).end_object();
  }
  json.end_array().end_object();
  return json.str() + "\n";
}

}  // namespace doppel
