// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include <snapshot/linux/proc_parser.h>
#include <snapshot/linux/text_scan.h>

namespace doppel {
namespace {

/// Cuts words off a line and turns them into numbers; remembers whether one was bad.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  template <std::integral T>
  Words& operator>>(T& to) {
    const auto value = text::number<T>(text::next_word(rest_));
    if (value) {
      to = *value;
    } else {
      good_ = false;
    }
    return *this;
  }

  void skip(int count) {
    while (count-- > 0) {
      if (text::next_word(rest_).empty()) good_ = false;
    }
  }

  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

IdSet parse_ids(std::string_view value) {
  IdSet ids;
  Words(value) >> ids.real >> ids.effective >> ids.saved >> ids.filesystem;
  return ids;
}

std::vector<std::int32_t> parse_list(std::string_view value) {
  std::vector<std::int32_t> list;
  for (std::string_view word; !(word = text::next_word(value)).empty();) {
    const auto id = text::number<std::int32_t>(word);
    if (!id) break;
    list.push_back(*id);
  }
  return list;
}

/// "Name:" shows newline and backslash as "\n" and "\\" (fs/proc/array.c proc_task_name()).
std::string unescape_name(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size() && (value[i + 1] == 'n' || value[i + 1] == '\\')) {
      ++i;
      out.push_back(value[i] == 'n' ? '\n' : '\\');
    } else {
      out.push_back(value[i]);
    }
  }
  return out;
}

void set_memory(std::string_view key, std::string_view value, ProcStatus& status) {
  struct Field {
    std::string_view key;
    std::optional<std::uint64_t> ProcStatus::* field;
  };

  static constexpr Field kFields[] = {
      {"VmSize", &ProcStatus::virtual_size},
      {"VmLck", &ProcStatus::locked},
      {"VmPin", &ProcStatus::pinned},
      {"VmRSS", &ProcStatus::resident},
      {"RssAnon", &ProcStatus::resident_anonymous},
      {"RssFile", &ProcStatus::resident_file},
      {"RssShmem", &ProcStatus::resident_shared},
      {"VmPTE", &ProcStatus::page_tables},
      {"VmSwap", &ProcStatus::swapped},
      {"HugetlbPages", &ProcStatus::hugetlb},
  };
  for (const Field& field : kFields) {
    if (field.key == key) status.*field.field = text::kilobytes(value);
  }
}

void set_mask(std::string_view key, std::string_view value, ProcStatus& status) {
  struct Field {
    std::string_view key;
    std::uint64_t ProcStatus::* field;
  };

  static constexpr Field kFields[] = {
      {"SigPnd", &ProcStatus::signals_pending},
      {"ShdPnd", &ProcStatus::group_signals_pending},
      {"SigBlk", &ProcStatus::signals_blocked},
      {"SigIgn", &ProcStatus::signals_ignored},
      {"SigCgt", &ProcStatus::signals_caught},
      {"CapInh", &ProcStatus::capabilities_inheritable},
      {"CapPrm", &ProcStatus::capabilities_permitted},
      {"CapEff", &ProcStatus::capabilities_effective},
      {"CapBnd", &ProcStatus::capabilities_bounding},
      {"CapAmb", &ProcStatus::capabilities_ambient},
  };
  for (const Field& field : kFields) {
    if (field.key == key) status.*field.field = text::hex(value).value_or(0);
  }
}

void set_other(std::string_view key, std::string_view value, ProcStatus& status) {
  if (key == "Uid") status.uid = parse_ids(value);
  if (key == "Gid") status.gid = parse_ids(value);
  if (key == "TracerPid") Words(value) >> status.tracer;
  if (key == "NStgid") status.namespace_group_ids = parse_list(value);
  if (key == "NSpid") status.namespace_ids = parse_list(value);
  if (key == "NSpgid") status.namespace_groups = parse_list(value);
  if (key == "NSsid") status.namespace_sessions = parse_list(value);
  if (key == "Threads") Words(value) >> status.threads;
  if (key == "NoNewPrivs") status.no_new_privileges = value == "1";
  if (key == "Seccomp") {
    status.seccomp = value == "2"   ? Seccomp::filter
                     : value == "1" ? Seccomp::strict
                                    : Seccomp::none;
  }
  if (key == "Seccomp_filters") status.seccomp_filters = text::number<std::uint64_t>(value);
  if (key == "CoreDumping") status.core_dumping = value == "1";
  if (key == "THP_enabled") status.thp_enabled = value != "0";
  if (key == "x86_Thread_features") status.x86_features = value;
  if (key == "x86_Thread_features_locked") status.x86_features_locked = value;
  if (key == "voluntary_ctxt_switches") Words(value) >> status.voluntary_switches;
  if (key == "nonvoluntary_ctxt_switches") Words(value) >> status.involuntary_switches;
}

}  // namespace

Result<ProcStat> parse_stat(std::string_view text) {
  // "4711 (any) bytes) S 1 ...": the name ends at the last parenthesis, since nothing after it has
  // one.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return fail(Errc::malformed, "parse stat: name");
  }
  ProcStat stat;
  const auto pid = text::number<std::int32_t>(text::trim(text.substr(0, open)));
  std::string_view rest = text::trim(text.substr(close + 1));
  const std::string_view state = text::next_word(rest);
  if (!pid || state.size() != 1) return fail(Errc::malformed, "parse stat: state");
  stat.pid = *pid;
  stat.comm = text.substr(open + 1, close - open - 1);
  stat.state = state.front();

  Words words(rest);
  words >> stat.parent >> stat.group >> stat.session;
  words.skip(2);  // terminal and its foreground group
  words >> stat.flags;
  words.skip(4);  // page faults
  words >> stat.user_ticks >> stat.system_ticks >> stat.children_user_ticks >>
      stat.children_system_ticks >> stat.priority >> stat.nice >> stat.threads;
  words.skip(1);  // interval timer, always 0
  words >> stat.start_ticks;
  if (!words.good()) return fail(Errc::malformed, "parse stat: fields");
  words >> stat.virtual_size >> stat.resident_pages;
  words.skip(13);  // limit, code and stack addresses (0 for strangers), signals, wait channel
  words >> stat.exit_signal >> stat.processor;
  return stat;
}

Result<ProcStatus> parse_status(std::string_view text) {
  ProcStatus status;
  bool have_state = false, have_group = false, have_pid = false;
  std::string_view line;
  while (text::next_line(text, line)) {
    const std::string_view key = text::next_field(line, ':');
    // The name keeps blanks of its own: after the colon stands exactly one tab.
    if (key == "Name") {
      if (line.starts_with('\t')) line.remove_prefix(1);
      status.name = unescape_name(line);
      continue;
    }
    const std::string_view value = text::trim(line);
    if (key == "State" && !value.empty()) {
      status.state = value.front();
      have_state = true;
    } else if (key == "Tgid") {
      const auto id = text::number<std::int32_t>(value);
      have_group = id.has_value();
      status.thread_group = id.value_or(0);
    } else if (key == "Pid") {
      const auto id = text::number<std::int32_t>(value);
      have_pid = id.has_value();
      status.pid = id.value_or(0);
    } else if (key == "PPid") {
      status.parent = text::number<std::int32_t>(value).value_or(0);
    } else if (key.starts_with("Vm") || key.starts_with("Rss") || key == "HugetlbPages") {
      set_memory(key, value, status);
    } else if (key.size() == 6 &&
               (key.starts_with("Sig") || key.starts_with("Cap") || key.starts_with("ShdPnd"))) {
      set_mask(key, value, status);
    } else {
      set_other(key, value, status);
    }
  }
  if (!have_state || !have_group || !have_pid) return fail(Errc::malformed, "parse status");
  return status;
}

std::vector<AuxEntry> parse_auxv(std::span<const std::byte> bytes) {
  std::vector<AuxEntry> auxv;
  for (; bytes.size() >= sizeof(AuxEntry); bytes = bytes.subspan(sizeof(AuxEntry))) {
    AuxEntry entry;
    std::memcpy(&entry.type, bytes.data(), sizeof entry.type);
    std::memcpy(&entry.value, bytes.data() + sizeof entry.type, sizeof entry.value);
    if (entry.type == 0) break;
    auxv.push_back(entry);
  }
  return auxv;
}

std::optional<std::uint64_t> find_aux(const std::vector<AuxEntry>& auxv, std::uint64_t type) {
  for (const AuxEntry& entry : auxv) {
    if (entry.type == type) return entry.value;
  }
  return std::nullopt;
}

Result<ProcSyscall> parse_syscall(std::string_view text) {
  ProcSyscall call;
  std::string_view rest = text::trim(text);
  if (rest == "running") {
    call.running = true;
    return call;
  }
  const auto number = text::number<std::int64_t>(text::next_word(rest));
  if (!number || *number < -1) return fail(Errc::malformed, "parse syscall: number");
  call.number = *number;
  bool good = true;
  const auto word = [&] {
    const auto value = text::hex(text::next_word(rest));
    good = good && value.has_value();
    return value.value_or(0);
  };
  if (call.number >= 0) {
    for (std::uint64_t& argument : call.arguments) argument = word();
  }
  call.stack_pointer = word();
  call.program_counter = word();
  if (!good) return fail(Errc::malformed, "parse syscall: fields");
  return call;
}

Result<ProcSched> parse_sched(std::string_view text) {
  ProcSched sched;
  bool have_start = false, have_switches = false;
  std::string_view line;
  while (text::next_line(text, line)) {
    const std::string_view key = text::trim(text::next_field(line, ':'));
    const std::string_view value = text::trim(line);
    if (key == "se.exec_start") {
      // Milliseconds with a fraction of exactly six digits (kernel/sched/debug.c SPLIT_NS).
      std::string_view rest = value;
      const auto whole = text::number<std::uint64_t>(text::next_field(rest, '.'));
      const auto fraction = text::number<std::uint64_t>(rest);
      have_start = whole && fraction && rest.size() == 6 && *whole < UINT64_MAX / 1'000'000;
      if (have_start) sched.exec_start_ns = *whole * 1'000'000 + *fraction;
    } else if (key == "nr_voluntary_switches") {
      const auto count = text::number<std::uint64_t>(value);
      have_switches = count.has_value();
      sched.voluntary_switches = count.value_or(0);
    } else if (key == "nr_involuntary_switches") {
      sched.involuntary_switches = text::number<std::uint64_t>(value).value_or(0);
    }
  }
  if (!have_start || !have_switches) return fail(Errc::malformed, "parse sched");
  return sched;
}

std::vector<ProcLimit> parse_limits(std::string_view text) {
  // Columns of fixed width (fs/proc/base.c proc_pid_limits(): "%-25s %-20s %-20s %-10s"); names
  // hold blanks, so the column is what ends them.
  constexpr std::size_t kName = 25;
  std::vector<ProcLimit> limits;
  std::string_view line;
  while (text::next_line(text, line)) {
    if (line.size() <= kName || !line.starts_with("Max ")) continue;
    ProcLimit limit;
    limit.name = text::trim(line.substr(0, kName));
    std::string_view rest = line.substr(kName);
    const std::string_view soft = text::next_word(rest);
    const std::string_view hard = text::next_word(rest);
    limit.soft = text::number<std::uint64_t>(soft);
    limit.hard = text::number<std::uint64_t>(hard);
    const auto known = [](std::string_view word, bool is_number) {
      return is_number || word == "unlimited";
    };
    if (known(soft, limit.soft.has_value()) && known(hard, limit.hard.has_value())) {
      limits.push_back(std::move(limit));
    }
  }
  return limits;
}

ProcIo parse_io(std::string_view text) {
  ProcIo io;
  const auto get = [&](std::string_view key) {
    return text::number<std::uint64_t>(text::value_of(text, key)).value_or(0);
  };
  io.read_chars = get("rchar");
  io.written_chars = get("wchar");
  io.read_calls = get("syscr");
  io.write_calls = get("syscw");
  io.read_bytes = get("read_bytes");
  io.written_bytes = get("write_bytes");
  io.cancelled_bytes = get("cancelled_write_bytes");
  return io;
}

void describe_process(const ProcStat& stat, const ProcStatus& status, const ProcStatus* parent,
                      ProcessInfo& process) {
  const auto innermost = [](const std::vector<std::int32_t>& ids, std::int32_t otherwise) {
    return ids.empty() ? otherwise : ids.back();
  };
  process.pid = stat.pid;
  process.parent = stat.parent;
  process.group = stat.group;
  process.session = stat.session;
  process.namespace_pid = innermost(status.namespace_group_ids, stat.pid);
  process.namespace_group = innermost(status.namespace_groups, stat.group);
  process.namespace_session = innermost(status.namespace_sessions, stat.session);
  const std::size_t depth = status.namespace_group_ids.size();
  if (depth <= 1) {
    process.namespace_parent = stat.parent;
  } else {
    const bool inside = parent != nullptr && parent->namespace_group_ids.size() == depth;
    process.namespace_parent = inside ? parent->namespace_group_ids.back() : 0;
  }
  process.uid = status.uid.real;
  process.gid = status.gid.real;
  process.comm = stat.comm;
  process.state = stat.state;
  process.nice = static_cast<std::int32_t>(stat.nice);
  process.flags = stat.flags;
  process.user_time_us = ticks_to_us(stat.user_ticks);
  process.system_time_us = ticks_to_us(stat.system_ticks);
  process.children_user_time_us = ticks_to_us(static_cast<std::uint64_t>(stat.children_user_ticks));
  process.children_system_time_us =
      ticks_to_us(static_cast<std::uint64_t>(stat.children_system_ticks));
  process.signals_pending = status.signals_pending | status.group_signals_pending;
  process.signals_blocked = status.signals_blocked;
  process.start_ticks = stat.start_ticks;
}

void describe_thread(const ProcStat& stat, const ProcStatus& status, Thread& thread) {
  thread.id = stat.pid;
  thread.namespace_id = status.namespace_ids.empty() ? stat.pid : status.namespace_ids.back();
  thread.name = stat.comm;
  thread.state = stat.state;
  thread.signals_pending = status.signals_pending;
  thread.signals_blocked = status.signals_blocked;
  thread.user_time_us = ticks_to_us(stat.user_ticks);
  thread.system_time_us = ticks_to_us(stat.system_ticks);
  thread.nice = static_cast<std::int32_t>(stat.nice);
}

}  // namespace doppel
