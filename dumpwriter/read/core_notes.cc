// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <dumpwriter/read/core_notes.h>
#include <snapshot/support/byte_reader.h>
#include <snapshot/support/bytes.h>

namespace doppel {

namespace {

// include/uapi/linux/elf.h; the last two are ours (docs/formats/elf-core.md).
constexpr std::uint32_t kPrstatus = 1;
constexpr std::uint32_t kPrfpreg = 2;
constexpr std::uint32_t kPrpsinfo = 3;
constexpr std::uint32_t kAuxv = 6;
constexpr std::uint32_t kFile = 0x46494c45;
constexpr std::uint32_t kSiginfo = 0x53494749;
constexpr std::uint32_t kIoperm = 0x201;
constexpr std::uint32_t kXstate = 0x202;
constexpr std::uint32_t kShadowStack = 0x204;
constexpr std::uint32_t kXsaveLayout = 0x205;
constexpr std::uint32_t kManifest = 0x44504c01;
constexpr std::uint32_t kHandles = 0x44504c02;

struct TimeRecord {
  ul64 seconds, microseconds;
};

struct PrstatusRecord {
  ul32 signo, code, error;
  ul16 cursig, padding;
  ul64 sigpend, sighold;
  ul32 pid, ppid, pgrp, sid;
  TimeRecord utime, stime, cutime, cstime;
  std::array<ul64, 27> registers;
  ul32 fpvalid, tail;
};

static_assert(sizeof(PrstatusRecord) == 336);

struct PrpsinfoRecord {
  char state = 0, sname = 0, zomb = 0;
  std::int8_t nice = 0;
  ul32 padding;
  ul64 flag;
  ul32 uid, gid, pid, ppid, pgrp, sid;
  std::array<char, 16> fname{};
  std::array<char, 80> psargs{};
};

static_assert(sizeof(PrpsinfoRecord) == 136);

std::int32_t id(const ul32& value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
}

std::uint64_t microseconds(const TimeRecord& time) {
  return time.seconds * 1000000 + time.microseconds;
}

template <std::size_t N>
std::string text_of(const std::array<char, N>& chars) {
  return {chars.begin(), std::find(chars.begin(), chars.end(), '\0')};
}

std::vector<std::byte> copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void CoreNotes::take(std::string_view owner, std::uint32_t type, std::span<const std::byte> bytes) {
  if (owner == "CORE") take_core(type, bytes);
  if (owner == "LINUX") take_linux(type, bytes);
  if (owner == "DOPPEL" && type == kManifest) manifest = text_of(bytes);
  if (owner == "DOPPEL" && type == kHandles) handles = text_of(bytes);
}

void CoreNotes::take_core(std::uint32_t type, std::span<const std::byte> bytes) {
  switch (type) {
    case kPrstatus:
      take_prstatus(bytes);
      break;
    case kPrpsinfo:
      take_prpsinfo(bytes);
      break;
    case kPrfpreg:
      if (!threads.empty()) threads.back().registers.fxsave = copy(bytes);
      break;
    case kAuxv:
      auxv = copy(bytes);
      break;
    case kFile:
      take_files(bytes);
      break;
    case kSiginfo:
      if (threads.size() <= 1) {
        siginfo = copy(bytes);
      } else {
        threads.back().siginfo = copy(bytes);
      }
      break;
    default:
      break;
  }
}

void CoreNotes::take_linux(std::uint32_t type, std::span<const std::byte> bytes) {
  if (type == kXsaveLayout) xsave_layout = copy(bytes);
  if (threads.empty()) return;
  CpuContext& registers = threads.back().registers;
  if (type == kXstate) registers.xsave = copy(bytes);
  if (type == kIoperm) registers.io_bitmap = copy(bytes);
  if (type == kShadowStack && bytes.size() == sizeof(ul64)) {
    ul64 value;
    std::memcpy(&value, bytes.data(), sizeof value);
    registers.shadow_stack_pointer = value;
  }
}

void CoreNotes::take_prstatus(std::span<const std::byte> bytes) {
  PrstatusRecord record;
  if (bytes.size() != sizeof record) return;
  std::memcpy(&record, bytes.data(), sizeof record);
  Thread thread;
  thread.id = thread.namespace_id = id(record.pid);
  thread.signals_pending = record.sigpend;
  thread.signals_blocked = record.sighold;
  thread.user_time_us = microseconds(record.utime);
  thread.system_time_us = microseconds(record.stime);
  std::array<std::uint64_t, 27> registers;
  std::copy(record.registers.begin(), record.registers.end(), registers.begin());
  thread.registers.general = std::bit_cast<X86_64Registers>(registers);
  if (threads.empty()) {
    signal = static_cast<std::int16_t>(static_cast<std::uint16_t>(record.cursig));
    process.children_user_time_us = microseconds(record.cutime);
    process.children_system_time_us = microseconds(record.cstime);
  }
  threads.push_back(std::move(thread));
}

void CoreNotes::take_prpsinfo(std::span<const std::byte> bytes) {
  PrpsinfoRecord record;
  if (bytes.size() != sizeof record) return;
  std::memcpy(&record, bytes.data(), sizeof record);
  process.state = record.sname;
  process.nice = record.nice;
  process.flags = record.flag;
  process.uid = record.uid;
  process.gid = record.gid;
  process.pid = process.namespace_pid = id(record.pid);
  process.parent = process.namespace_parent = id(record.ppid);
  process.group = process.namespace_group = id(record.pgrp);
  process.session = process.namespace_session = id(record.sid);
  process.comm = text_of(record.fname);
  // One string; where one argument ends and the next begins is not known.
  process.arguments = {text_of(record.psargs)};
}

void CoreNotes::take_files(std::span<const std::byte> bytes) {
  ByteReader table(bytes);
  const Result<ul64> count = table.read<ul64>();
  const Result<ul64> page_size = table.read<ul64>();
  constexpr std::uint64_t kRow = 3 * sizeof(ul64);
  if (!count || !page_size || *count > table.remaining() / kRow) return;
  ByteReader names(bytes.subspan(table.position() + *count * kRow));
  for (std::uint64_t i = 0; i < *count; ++i) {
    const Result<std::array<ul64, 3>> row = table.read<std::array<ul64, 3>>();
    const Result<std::string_view> name = names.read_string();
    if (!row || !name) return;  // the table was cut; what came before holds
    const std::uint64_t begin = (*row)[0];
    const std::uint64_t end = (*row)[1];
    if (end <= begin) continue;
    files.push_back({.range = {{begin}, end - begin},
                     .file_offset = (*row)[2] * *page_size,
                     .path = std::string(*name)});
  }
}

}  // namespace doppel
