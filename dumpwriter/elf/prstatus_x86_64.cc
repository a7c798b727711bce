// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <dumpwriter/elf/prstatus.h>

namespace doppel {

namespace {

struct Time {
  std::uint64_t seconds = 0;
  std::uint64_t microseconds = 0;
};

Time time_of(std::uint64_t us) {
  return {.seconds = us / 1000000, .microseconds = us % 1000000};
}

struct Prstatus {
  std::int32_t signo = 0, code = 0, error = 0;
  std::int16_t cursig = 0;
  std::int16_t padding = 0;
  std::uint64_t sigpend = 0, sighold = 0;
  std::int32_t pid = 0, ppid = 0, pgrp = 0, sid = 0;
  Time utime, stime, cutime, cstime;
  X86_64Registers reg;
  std::int32_t fpvalid = 0;
  std::int32_t tail = 0;
};

static_assert(sizeof(Prstatus) == 336);

struct Prpsinfo {
  char state = 0, sname = 0, zomb = 0;
  std::int8_t nice = 0;
  std::uint32_t padding = 0;
  std::uint64_t flag = 0;
  std::uint32_t uid = 0, gid = 0;
  std::int32_t pid = 0, ppid = 0, pgrp = 0, sid = 0;
  std::array<char, 16> fname{};
  std::array<char, 80> psargs{};
};

static_assert(sizeof(Prpsinfo) == 136);

constexpr std::size_t kFxsaveSize = 512;
constexpr std::size_t kSoftwareOwned = 464;  // Intel SDM vol. 1, 10.5.1: bytes 464-511

template <class T>
std::vector<std::byte> bytes_of(const T& value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// Always leaves a NUL at the end.
template <std::size_t N>
void copy_text(std::array<char, N>& to, std::string_view text) {
  std::copy_n(text.begin(), std::min(text.size(), N - 1), to.begin());
}

}  // namespace

std::vector<std::byte> make_prstatus(const ProcessImage& image, const Thread& thread, bool has_fp) {
  const ProcessInfo& process = image.process;
  Prstatus status;
  if (image.fault && image.fault->thread == thread.id) {
    status.signo = static_cast<std::int32_t>(image.fault->number);
    status.code = image.fault->code;
    status.cursig = static_cast<std::int16_t>(image.fault->number);
  }
  status.sigpend = thread.signals_pending;
  status.sighold = thread.signals_blocked;
  status.pid = thread.namespace_id;
  status.ppid = process.namespace_parent;
  status.pgrp = process.namespace_group;
  status.sid = process.namespace_session;
  const bool leader = thread.id == process.pid;
  status.utime = time_of(leader ? process.user_time_us : thread.user_time_us);
  status.stime = time_of(leader ? process.system_time_us : thread.system_time_us);
  status.cutime = time_of(process.children_user_time_us);
  status.cstime = time_of(process.children_system_time_us);
  status.reg = thread.registers.general;
  status.fpvalid = has_fp ? 1 : 0;
  return bytes_of(status);
}

std::vector<std::byte> make_prpsinfo(const ProcessImage& image) {
  const ProcessInfo& process = image.process;
  Prpsinfo info;
  // pr_state is the letter's place in this list (fs/binfmt_elf.c, fill_psinfo). A traced stop is a
  // stop to readers that know six letters.
  constexpr std::string_view kLetters = "RSDTZW";
  const char letter = process.state == 't' ? 'T' : process.state;
  const std::size_t place = kLetters.find(letter);
  info.state = static_cast<char>(place == std::string_view::npos ? kLetters.size() : place);
  info.sname = place == std::string_view::npos ? '.' : letter;
  info.zomb = letter == 'Z' ? 1 : 0;
  info.nice = static_cast<std::int8_t>(process.nice);
  info.flag = process.flags;
  info.uid = process.uid;
  info.gid = process.gid;
  info.pid = process.namespace_pid;
  info.ppid = process.namespace_parent;
  info.pgrp = process.namespace_group;
  info.sid = process.namespace_session;
  copy_text(info.fname, process.comm);
  std::string line;
  for (const std::string& argument : process.arguments) {
    if (line.size() >= info.psargs.size()) break;
    if (!line.empty()) line += ' ';
    line += argument;
  }
  copy_text(info.psargs, line);
  return bytes_of(info);
}

std::vector<std::byte> make_prfpreg(const CpuContext& registers) {
  if (!registers.fxsave.empty()) return registers.fxsave;
  if (registers.xsave.size() < kFxsaveSize) return {};
  std::vector<std::byte> area(registers.xsave.begin(),
                              registers.xsave.begin() + static_cast<std::ptrdiff_t>(kFxsaveSize));
  std::fill(area.begin() + static_cast<std::ptrdiff_t>(kSoftwareOwned), area.end(), std::byte{0});
  return area;
}

}  // namespace doppel
