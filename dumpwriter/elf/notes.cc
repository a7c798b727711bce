// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <dumpwriter/elf/manifest.h>
#include <dumpwriter/elf/note_builder.h>
#include <dumpwriter/elf/note_types.h>
#include <dumpwriter/elf/notes.h>
#include <dumpwriter/elf/prstatus.h>
#include <dumpwriter/plan/page.h>

namespace doppel {

namespace {

constexpr std::size_t kSiginfoSize = 128;  // sizeof(siginfo_t)

const std::vector<std::byte>* find_verbatim(const ProcessImage& image, std::string_view name) {
  for (const Verbatim& each : image.verbatim) {
    if (each.name == name && !each.bytes.empty()) return &each.bytes;
  }
  return nullptr;
}

/// Always whole: cut or filled up with zeros to the struct's size.
std::vector<std::byte> siginfo_of(const ProcessImage& image, const Thread& thread) {
  std::vector<std::byte> bytes = thread.siginfo;
  if (image.fault && image.fault->thread == thread.id) {
    bytes = image.fault->siginfo;
    if (bytes.empty()) {
      // si_signo, si_errno, si_code, padding, and the address of those signals that have one.
      bytes.resize(kSiginfoSize);
      const auto put = [&](std::size_t at, auto value) {
        std::memcpy(bytes.data() + at, &value, sizeof value);
      };
      put(0, image.fault->number);
      put(8, image.fault->code);
      put(16, image.fault->address.value);
    }
  }
  bytes.resize(kSiginfoSize);
  return bytes;
}

bool has_file(const Region& region) {
  const bool kind = region.backing == Backing::file || region.backing == Backing::shared_memory ||
                    region.backing == Backing::device;
  // "[anon_shmem:name]" is a label, not a file.
  return kind && !region.path.empty() && region.path.front() != '[';
}

void append_word(std::vector<std::byte>& to, std::uint64_t value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append_text(std::vector<std::byte>& to, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

Result<> add_registers(NoteBuilder& notes, const CpuContext& registers,
                       const std::vector<std::byte>& fp) {
  using namespace note_owner;
  using namespace note_type;
  if (!fp.empty()) DOPPEL_TRY(notes.add(kCore, kPrfpreg, fp));
  if (!registers.xsave.empty()) DOPPEL_TRY(notes.add(kLinux, kX86Xstate, registers.xsave));
  if (!registers.io_bitmap.empty()) DOPPEL_TRY(notes.add(kLinux, k386Ioperm, registers.io_bitmap));
  if (registers.shadow_stack_pointer) {
    const auto bytes = std::as_bytes(std::span(&*registers.shadow_stack_pointer, 1));
    DOPPEL_TRY(notes.add(kLinux, kX86Shstk, bytes));
  }
  return {};
}

Result<> add_process(NoteBuilder& notes, const ProcessImage& image, const Thread& first) {
  using namespace note_owner;
  using namespace note_type;
  DOPPEL_TRY(notes.add(kCore, kPrpsinfo, make_prpsinfo(image)));
  DOPPEL_TRY(notes.add(kCore, kSiginfo, siginfo_of(image, first)));
  if (const auto* auxv = find_verbatim(image, verbatim::kAuxv)) {
    DOPPEL_TRY(notes.add(kCore, kAuxv, *auxv));
  }
  DOPPEL_TRY(notes.add(kCore, kFile, make_file_note(image.regions)));
  return {};
}

/// The one that faulted first, the others as they are.
std::vector<const Thread*> in_order(const ProcessImage& image) {
  std::vector<const Thread*> threads;
  threads.reserve(image.threads.size());
  for (const Thread& thread : image.threads) threads.push_back(&thread);
  if (image.fault) {
    std::stable_partition(threads.begin(), threads.end(),
                          [&](const Thread* thread) { return thread->id == image.fault->thread; });
  }
  return threads;
}

}  // namespace

std::vector<std::byte> make_file_note(const std::vector<Region>& regions) {
  std::vector<std::byte> table;
  std::vector<std::byte> names;
  std::uint64_t count = 0;
  for (const Region& region : regions) {
    if (!has_file(region)) continue;
    append_word(table, region.range.begin.value);
    append_word(table, region.range.end());
    append_word(table, region.file_offset / kPageSize);
    append_text(names, region.path);
    if (region.deleted) append_text(names, " (deleted)");
    names.push_back(std::byte{0});
    ++count;
  }
  std::vector<std::byte> note;
  note.reserve(16 + table.size() + names.size());
  append_word(note, count);
  append_word(note, kPageSize);
  note.insert(note.end(), table.begin(), table.end());
  note.insert(note.end(), names.begin(), names.end());
  return note;
}

Result<std::vector<std::byte>> make_notes(const ProcessImage& image, const Selection& selection) {
  using namespace note_owner;
  using namespace note_type;
  NoteBuilder notes;
  bool first = true;
  for (const Thread* thread : in_order(image)) {
    const std::vector<std::byte> fp = make_prfpreg(thread->registers);
    DOPPEL_TRY(notes.add(kCore, kPrstatus, make_prstatus(image, *thread, !fp.empty())));
    if (first) {
      DOPPEL_TRY(add_process(notes, image, *thread));
    } else if (!thread->siginfo.empty()) {
      DOPPEL_TRY(notes.add(kCore, kSiginfo, siginfo_of(image, *thread)));
    }
    DOPPEL_TRY(add_registers(notes, thread->registers, fp));
    first = false;
  }
  if (const auto* layout = find_verbatim(image, verbatim::kXsaveLayout)) {
    DOPPEL_TRY(notes.add(kLinux, kX86XsaveLayout, *layout));
  }
  const std::string manifest = make_manifest(image, selection);
  DOPPEL_TRY(notes.add(kDoppel, kManifest, std::as_bytes(std::span(manifest))));
  const std::string handles = make_handle_list(image.handles);
  DOPPEL_TRY(notes.add(kDoppel, kHandles, std::as_bytes(std::span(handles))));
  return std::move(notes).take();
}

}  // namespace doppel
