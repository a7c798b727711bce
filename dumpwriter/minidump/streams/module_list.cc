// SPDX-License-Identifier: Apache-2.0
//
//   u32 n, n * MINIDUMP_MODULE (108 bytes): base, size, checksum, time, rva of the name,
//                                           VS_FIXEDFILEINFO (52), CodeView {size, rva}, misc, 0, 0
//
// The executable first: that is what readers take for it. An ELF file is named by its build id
// (BpEL), an image by its PDB (RSDS); a module without either has no CodeView record.
#include <algorithm>
#include <limits>

#include <dumpwriter/minidump/records.h>
#include <dumpwriter/minidump/streams/streams.h>

namespace doppel::minidump {

namespace {

constexpr std::uint32_t kFileInfoSignature = 0xfeef04bd;

std::vector<const Module*> in_order(const ProcessImage& image) {
  std::vector<const Module*> modules;
  modules.reserve(image.modules.size());
  for (const Module& module : image.modules) modules.push_back(&module);
  std::stable_partition(modules.begin(), modules.end(), [&](const Module* module) {
    return module->path == image.process.executable;
  });
  return modules;
}

Location put_code_view(const Module& module, MinidumpBuilder& builder) {
  RecordWriter record;
  if (module.windows) {
    const WindowsModule& nt = *module.windows;
    if (nt.pdb_path.empty()) return {};
    record.u32(kCvPdb).raw(nt.pdb_guid).u32(nt.pdb_age).text(nt.pdb_path).u8(0);
  } else {
    if (module.build_id.empty()) return {};
    record.u32(kCvElf).raw(module.build_id);
  }
  return builder.put(record.bytes());
}

/// As Breakpad's tools know the page that the kernel maps into every process.
std::string_view name_of(const Module& module) {
  return module.path == "[vdso]" ? std::string_view("linux-gate.so") : module.path;
}

}  // namespace

void add_module_list(const Facts& facts, MinidumpBuilder& builder) {
  const std::vector<const Module*> modules = in_order(facts.image);
  RecordWriter body;
  body.u32(static_cast<std::uint32_t>(modules.size()));
  for (const Module* module : modules) {
    const WindowsModule nt = module->windows.value_or(WindowsModule{});
    const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    body.u64(module->range.begin.value);
    body.u32(static_cast<std::uint32_t>(std::min(module->range.size, most)));
    body.u32(nt.checksum).u32(nt.time_stamp).u32(builder.put_string(name_of(*module)));
    if (module->windows) {
      body.u32(kFileInfoSignature).u32(0x10000).zeros(44);
    } else {
      body.zeros(52);
    }
    const Location code_view = put_code_view(*module, builder);
    body.u32(code_view.size).u32(code_view.rva).zeros(24);
  }
  builder.add_stream(stream_type::kModuleList, body);
}

}  // namespace doppel::minidump
