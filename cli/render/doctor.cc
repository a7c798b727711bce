// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include <cli/render/doctor.h>
#include <cli/render/quantity.h>
#include <dumpwriter/elf/json_writer.h>

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
  json.begin_object();
  json.number("schema", 1);
  json.signed_number("pid", diagnosis.pid);
  json.text("comm", diagnosis.comm);
  json.text("executable", diagnosis.executable);
  json.number("exit", static_cast<unsigned>(diagnosis.exit));
  if (diagnosis.engine.empty())
    json.null("engine");
  else
    json.text("engine", diagnosis.engine);
  if (diagnosis.predicted_pause)
    json.signed_number("predicted_pause_us", diagnosis.predicted_pause->count());
  else
    json.null("predicted_pause_us");
  json.number("threads", diagnosis.threads);
  json.number("regions", diagnosis.mappings);
  json.number("memory_bytes", diagnosis.resident);
  json.begin_array("gates");
  for (const Gate& gate : diagnosis.gates) {
    json.begin_object();
    json.text("gate", gate_name(gate.id));
    json.text("severity", severity_name(gate.severity));
    json.text("what", gate.what);
    json.text("why", gate.why);
    json.text("remedy", gate.remedy);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return std::move(json).take() + "\n";
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
  json.begin_object();
  json.number("schema", 1);
  json.number("exit", static_cast<unsigned>(machine_exit(checks)));
  json.begin_array("checks");
  for (const Check& check : checks) {
    json.begin_object();
    json.text("check", check.name);
    json.boolean("good", check.good);
    if (check.good)
      json.null("severity");
    else
      json.text("severity", severity_name(check.severity));
    json.text("what", check.what);
    json.text("why", check.why);
    json.text("remedy", check.remedy);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return std::move(json).take() + "\n";
}

}  // namespace doppel
