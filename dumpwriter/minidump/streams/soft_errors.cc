// SPDX-License-Identifier: Apache-2.0
//
// What could not be had although it was wanted, as a JSON array: rust-minidump prints it. What was
// left out on purpose is no error, and stands in the manifest alone.
#include <dumpwriter/elf/json_writer.h>
#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

void add_soft_errors(const Facts& facts, MinidumpBuilder& builder) {
  if (facts.windows()) return;
  JsonWriter json;
  std::size_t count = 0;
  json.begin_array();
  for (const auto* list : {&facts.image.omissions, &facts.selection.omissions}) {
    for (const Omission& omission : *list) {
      if (omission.asked) continue;
      json.begin_object();
      json.text("what", omission.what);
      json.hex("address", omission.range.begin.value);
      json.number("size", omission.range.size);
      json.text("why", omission.why);
      json.end_object();
      ++count;
    }
  }
  json.end_array();
  if (count == 0) return;
  RecordWriter body;
  body.text(std::move(json).take());
  builder.add_stream(stream_type::kMozSoftErrors, body);
}

}  // namespace doppel::minidump
