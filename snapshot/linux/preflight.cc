// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <snapshot/linux/machine_speed.h>
#include <snapshot/linux/memory_check.h>
#include <snapshot/linux/permission_check.h>
#include <snapshot/linux/preflight.h>
#include <snapshot/linux/resource_check.h>
#include <snapshot/linux/thread_check.h>

namespace doppel {
namespace {

std::string text_of(pid_t pid) {
  return std::to_string(pid);
}

/// One run over one process. Each look_at_* adds what it finds to the result.
class Inspection {
 public:
  Inspection(Sys& sys, const ProcDir& process, const PreflightOptions& options)
      : sys_(sys), process_(process), options_(options) {
    out_.pid = process.id();
  }

  Preflight run() {
    if (look_at_identity()) {
      look_at_relation();
      look_at_permission();
      check_threads(sys_, process_, out_);
      // Without the permission the rest cannot be read, and would only be said to be unknown.
      if (out_.may_attach) look_inside();
    }
    std::ranges::stable_sort(out_.gates, [](const Gate& a, const Gate& b) {
      return a.severity != b.severity ? a.severity > b.severity : a.id < b.id;
    });
    return std::move(out_);
  }

 private:
  void add(GateId id, Severity severity, std::string what, std::string why,
           std::string remedy = {}) {
    add_gate(out_.gates, id, severity, std::move(what), std::move(why), std::move(remedy));
  }

  /// False when there is nothing more to look at.
  bool look_at_identity();
  void look_at_relation();
  void look_at_permission();
  void look_inside();
  void look_at_program();
  void look_at_namespaces();
  void look_at_mappings();
  void look_at_resources();

  std::string parent_of_zombie() const;
  bool is_ancestor_of_ours() const;

  Sys& sys_;
  const ProcDir& process_;
  const PreflightOptions& options_;
  std::optional<SelfFacts> self_;
  Preflight out_;
};

std::string Inspection::parent_of_zombie() const {
  if (out_.stat.parent <= 0) return "its parent";
  return process_label(sys_, out_.stat.parent);
}

bool Inspection::is_ancestor_of_ours() const {
  pid_t pid = self_->status.parent;
  // A chain of parents is as long as a session is nested; the bound is against one that changes
  // while it is walked.
  for (int depth = 0; pid > 0 && depth < 64; ++depth) {
    if (pid == out_.pid) return true;
    const auto text = read_system_file(sys_, ("/proc/" + text_of(pid) + "/stat").c_str());
    if (!text) return false;
    const auto stat = parse_stat(*text);
    if (!stat) return false;
    pid = stat->parent;
  }
  return false;
}

bool Inspection::look_at_identity() {
  const auto stat_text = process_.read_text("stat");
  const auto status_text = process_.read_text("status");
  if (!stat_text || !status_text) {
    const Error& error = !stat_text ? stat_text.error() : status_text.error();
    if (error.code == Errc::gone) {
      add_gone(out_);
    } else {
      add_unknown(out_.gates, "capture " + text_of(out_.pid) + ": not possible", error,
                  Severity::forbids);
    }
    return false;
  }
  auto stat = parse_stat(*stat_text);
  auto status = parse_status(*status_text);
  if (!stat || !status) {
    add_unknown(out_.gates, "capture " + text_of(out_.pid) + ": not possible",
                !stat ? stat.error() : status.error(), Severity::forbids);
    return false;
  }
  out_.exists = true;
  out_.stat = std::move(*stat);
  out_.status = std::move(*status);
  const std::string what = "capture " + text_of(out_.pid) + ": not possible";

  if ((out_.stat.flags & kTaskKernelThread) != 0) {
    add(GateId::kernel_thread, Severity::forbids, what,
        out_.stat.comm + " is a thread of the kernel and has no memory of its own");
    return false;
  }
  if (out_.status.thread_group != out_.pid) {
    add(GateId::thread_id, Severity::forbids, what,
        "it is a thread of process " + text_of(out_.status.thread_group),
        "name the process: " + text_of(out_.status.thread_group));
    return false;
  }
  if (out_.stat.state == 'Z' || out_.stat.state == 'X') {
    if (out_.status.threads > 1) {
      add(GateId::leader_exited, Severity::forbids, what,
          "its main thread has ended while others run on: its memory cannot be reached by its "
          "number");
    } else {
      add(GateId::zombie, Severity::forbids, what,
          "it has exited and waits to be collected by " + parent_of_zombie(),
          "nothing of it is left to capture; look at the parent");
    }
    return false;
  }
  if (out_.status.core_dumping) {
    add(GateId::being_dumped, Severity::forbids, what, "the kernel is writing its core dump",
        "wait for that dump");
    return false;
  }
  if ((out_.stat.flags & kTaskExiting) != 0) {
    add_gone(out_);
    return false;
  }
  return true;
}

void Inspection::look_at_relation() {
  auto self = read_self(sys_);
  if (!self) {
    add_unknown(out_.gates, "who we are is not known", self.error());
    return;
  }
  self_ = std::move(*self);
  out_.privileged = has_capability(self_->status.capabilities_effective, kCapSysPtrace);
  if (self_->pid == out_.pid) {
    add(GateId::ourselves, Severity::forbids, "capture " + text_of(out_.pid) + ": not possible",
        "a process cannot stop all of its own threads and go on", "capture from another process");
    return;
  }
  if (is_ancestor_of_ours()) {
    add(GateId::ancestor, Severity::note, "it started this command",
        "a shell or terminal that is captured stands still for the pause like any process");
  }
}

void Inspection::look_at_permission() {
  const int refusal = attach_errno(process_);
  out_.may_attach = refusal == 0;
  out_.yama_scope = read_yama_scope(sys_);
  if (refusal == ENOENT || refusal == ESRCH) {
    add_gone(out_);
    return;
  }
  if (!self_) return;
  out_.dumpable = read_dumpable(sys_, process_, out_.status, *self_);
  out_.can_suspend_seccomp = can_suspend_seccomp(sys_, *self_);
  if (refusal != 0) {
    out_.gates.push_back(explain_refusal(sys_, process_, out_.status, *self_, out_.dumpable,
                                         out_.yama_scope, refusal));
    return;
  }
  if (out_.dumpable == false) {
    const std::string why = "it forbade dumps, or has changed its ids (dumpable is not 1)";
    if (options_.force_undumpable) {
      add(GateId::undumpable, Severity::note, "it did not want to be dumped", why);
    } else {
      add(GateId::undumpable, Severity::forbids, "capture " + text_of(out_.pid) + ": not permitted",
          why, "--force-undumpable captures it all the same");
    }
  } else if (!out_.dumpable && out_.pid != self_->pid) {
    add(GateId::unknown, Severity::note, "whether it forbade dumps is not known",
        "its files belong to root as well and its ids or capabilities are not ours");
  }
  // We ourselves may be in a container that filters ptrace: then only /proc/PID/mem is left.
  if (!ptrace_answers(sys_)) {
    add(GateId::ptrace_blocked, Severity::forbids_injection, "clone: ptrace is blocked",
        "a seccomp filter on doppel itself answers instead of the kernel",
        "run doppel outside of the container, or: --engine direct");
  }
}

void Inspection::look_inside() {
  // A range of no ports is refused as invalid, where there is such a call at all.
  out_.io_ports = sys_.invoke(SYS_ioperm, 0, 0, 0) != -ENOSYS;
  look_at_program();
  look_at_namespaces();
  look_at_mappings();
  check_descriptors(process_, options_, out_);
  look_at_resources();
}

void Inspection::look_at_program() {
  const auto link = process_.read_link("exe");
  if (link) out_.executable = *link;
  const auto file = process_.open_file("exe", O_RDONLY);
  unsigned char header[EI_NIDENT + 4] = {};
  const long got = file ? sys_.pread(file->get(), header, sizeof header, 0) : -1;
  if (got < static_cast<long>(sizeof header)) {
    if (!file) {
      add_unknown(out_.gates, "the kind of program is not known", file.error());
    }
    return;
  }
  const unsigned machine = header[EI_NIDENT + 2] | header[EI_NIDENT + 3] << 8;
  if (std::memcmp(header, ELFMAG, SELFMAG) != 0 ||
      (header[EI_CLASS] == ELFCLASS64 && machine == EM_X86_64)) {
    return;
  }
  std::string kind = "a program for machine type " + std::to_string(machine);
  if (machine == EM_386) kind = "a 32-bit program";
  if (machine == EM_X86_64) kind = "an x32 program";
  add(GateId::foreign_architecture, Severity::forbids,
      "capture " + text_of(out_.pid) + ": not supported",
      out_.executable + " is " + kind + ", and this doppel knows 64-bit x86-64 only",
      "use gcore for it");
}

void Inspection::look_at_namespaces() {
  const auto& ids = out_.status.namespace_group_ids;
  out_.namespace_init = out_.pid == 1 || (!ids.empty() && ids.back() == 1);
  std::string differ;
  for (const char* kind : {"pid", "user", "mnt", "net"}) {
    const std::string name = "ns/" + std::string(kind);
    const auto theirs = process_.read_link(name.c_str());
    char ours[64] = {};
    const long size =
        sys_.readlinkat(AT_FDCWD, ("/proc/self/" + name).c_str(), ours, sizeof ours - 1);
    if (!theirs || size <= 0 || *theirs == ours) continue;
    if (!differ.empty()) differ += ", ";
    differ += kind;
    if (std::string_view(kind) != "net") out_.in_container = true;
  }
  if (!differ.empty()) {
    add(GateId::other_namespaces, Severity::note, "it runs in namespaces of its own (container)",
        "other than ours: " + differ +
            "; paths and ids in the dump are those that it sees, beside those that we see");
  }
  if (out_.namespace_init && out_.pid != 1) {
    add(GateId::namespace_init, Severity::note, "it is PID 1 of its pid namespace",
        "when it exits the kernel kills all in the namespace, a clone too",
        "a restart of the container during the capture cuts the dump short");
  }
}

void Inspection::look_at_mappings() {
  auto smaps = process_.read_smaps();
  if (!smaps) {
    if (smaps.error().code == Errc::gone) {
      add_gone(out_);
    } else {
      add_unknown(out_.gates, "its mappings are not known", smaps.error(),
                  Severity::forbids_injection);
    }
    return;
  }
  out_.mappings_known = true;
  out_.regions = std::move(smaps->regions);
  out_.details = std::move(smaps->details);
  check_mappings(options_, out_);
}

void Inspection::look_at_resources() {
  // A program that links the library may be as large as what it captures.
  constexpr std::uint64_t kSmall = 64u << 20;
  if (self_ && self_->status.resident_anonymous.value_or(UINT64_MAX) <= kSmall) {
    out_.slowness = measure_slowness(sys_);
  }
  const Cgroups cgroups = read_cgroups(sys_, process_);
  check_frozen(sys_, cgroups, out_.gates);
  check_tasks(sys_, process_, cgroups, out_.status, out_.gates);
  check_overcommit(sys_, out_.regions, out_.status, out_.gates);
  check_memory(sys_, process_, cgroups, out_.regions, out_.status, out_.memory, out_.gates);
  check_huge_pages(sys_, out_.regions, out_.details, out_.gates);
}

}  // namespace

std::string process_label(Sys& sys, pid_t pid) {
  const auto text = read_system_file(sys, ("/proc/" + text_of(pid) + "/status").c_str());
  if (!text) return text_of(pid);
  const auto status = parse_status(*text);
  return status ? status->name + " (pid " + text_of(pid) + ")" : text_of(pid);
}

void add_gone(Preflight& out) {
  add_gate(out.gates, GateId::no_process, Severity::forbids,
           "capture " + text_of(out.pid) + ": no such process",
           "it does not exist, or has just exited");
}

const Gate* Preflight::find(GateId id) const {
  const auto found = std::ranges::find(gates, id, &Gate::id);
  return found == gates.end() ? nullptr : &*found;
}

const Gate* Preflight::forbidding() const {
  const auto found = std::ranges::find(gates, Severity::forbids, &Gate::severity);
  return found == gates.end() ? nullptr : &*found;
}

const Gate* Preflight::forbidding_clone(bool insist) const {
  const auto found = std::ranges::find_if(gates, [&](const Gate& gate) {
    return gate.severity == Severity::forbids ||
           (gate.severity == Severity::forbids_injection && !(insist && gate.overridable));
  });
  return found == gates.end() ? nullptr : &*found;
}

Preflight preflight(Sys& sys, const ProcDir& process, const PreflightOptions& options) {
  return Inspection(sys, process, options).run();
}

Preflight preflight(Sys& sys, pid_t pid, const PreflightOptions& options) {
  const auto process = ProcDir::open(sys, pid);
  if (process) return preflight(sys, *process, options);
  Preflight out;
  out.pid = pid;
  add_gone(out);
  Gate& gate = out.gates.back();
  // With /proc mounted hidepid=, the processes of others are not shown; a signal of 0 still tells.
  if (pid > 0 && sys.kill(pid, 0) == -EPERM) {
    gate.id = GateId::other_user;
    gate.what = "attach to " + text_of(pid) + ": not permitted";
    gate.why = "it belongs to another user and /proc is mounted with hidepid";
    gate.remedy = "run as root";
  } else if (process.error().code != Errc::gone) {
    gate.id = GateId::unknown;
    gate.what = "capture " + text_of(pid) + ": not possible";
    gate.why = std::string(process.error().step) + " failed with errno " +
               std::to_string(process.error().os);
  }
  return out;
}

}  // namespace doppel
