// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <utility>

#include <snapshot/linux/thread_check.h>

namespace doppel {
namespace {

constexpr std::uint64_t kCloneVfork = 0x4000;  // CLONE_VFORK

std::string text_of(pid_t pid) {
  return std::to_string(pid);
}

/// "3 threads", "1 thread"
std::string counted(std::uint64_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

void judge_threads(Sys& sys, Preflight& out) {
  std::uint64_t filtered = 0, strict = 0, stuck = 0, spawning = 0, stopped = 0, elsewhere = 0;
  pid_t tracer = 0, traced = 0;
  for (const ThreadFacts& thread : out.threads) {
    filtered += thread.seccomp != Seccomp::none;
    strict += thread.seccomp == Seccomp::strict;
    spawning += thread.in_vfork;
    stuck += thread.state == 'D' && !thread.in_vfork;
    stopped += thread.state == 'T';
    elsewhere += thread.children_elsewhere;
    if (thread.tracer != 0 && tracer == 0) {
      tracer = thread.tracer;
      traced = thread.id;
    }
  }
  if (tracer != 0) {
    const bool whole = traced == out.pid || out.threads.size() == 1;
    add_gate(
        out.gates, GateId::traced, Severity::forbids_injection,
        "attach to " + text_of(out.pid) + ": already traced",
        (whole ? "by " : "its thread " + text_of(traced) + " by ") + process_label(sys, tracer),
        "detach that one first, or: --engine direct (read while it runs: weaker)");
  }
  out.any_thread_filtered = filtered != 0;
  if (filtered != 0) {
    const std::string why = (strict != 0 ? "strict mode in " : "a filter on ") +
                            counted(strict != 0 ? strict : filtered, "thread") + " of " +
                            std::to_string(out.threads.size());
    if (out.can_suspend_seccomp) {
      add_gate(out.gates, GateId::seccomp, Severity::note,
               "seccomp is suspended for the injected calls", why);
    } else {
      add_gate(
          out.gates, GateId::seccomp, Severity::forbids_injection, "clone: not safe under seccomp",
          why + ", which may answer an injected call with a kill",
          "run as root outside of any filter (CAP_SYS_ADMIN can suspend it), or: --engine direct");
    }
  }
  if (elsewhere != 0) {
    // The helper would be the first process of a new pid namespace, and its end would close that
    // for ever (kernel/pid_namespace.c, zap_pid_ns_processes); or be refused, for it shares the
    // memory (kernel/nsproxy.c, copy_namespaces, of time namespaces).
    add_gate(out.gates, GateId::child_namespaces, Severity::forbids_injection,
             "clone: would come into another namespace",
             counted(elsewhere, "thread") + " of " + std::to_string(out.threads.size()) +
                 " called unshare or setns, and what it forks gets another pid or time namespace",
             "--engine direct");
  }
  if (spawning != 0) {
    add_gate(out.gates, GateId::vfork, Severity::loses,
             "registers of some threads will be incomplete",
             counted(spawning, "thread") + " waiting in vfork for a child to exec");
  }
  if (stuck != 0) {
    add_gate(out.gates, GateId::uninterruptible, Severity::loses,
             "registers of some threads may be incomplete",
             counted(stuck, "thread") + " in uninterruptible sleep (state D)");
  }
  if (stopped != 0) {
    add_gate(out.gates, GateId::stopped, Severity::note, "it is stopped (state T)",
             "job control or SIGSTOP; it stays stopped after the capture");
  }
  if (out.status.shadow_stack()) {
    add_gate(out.gates, GateId::shadow_stack, Severity::note, "it runs with shadow stacks",
             "x86_Thread_features: " + out.status.x86_features);
  }
}

/// A namespace of the process (of all its threads: the kernel lets no thread differ), and the
/// file of a thread that names the one its children will be in. Empty: not known, or no such kind.
struct NamespaceOfChildren {
  const char* own;
  const char* children;
  std::string link = {};
};

using NamespacesOfChildren = std::array<NamespaceOfChildren, 2>;

Result<bool> has_children_elsewhere(const ProcDir& task, const NamespacesOfChildren& namespaces) {
  for (const NamespaceOfChildren& each : namespaces) {
    if (each.link.empty()) continue;
    const auto link = task.read_link(each.children);
    if (link) {
      if (*link != each.link) return true;
      continue;
    }
    const Error& error = link.error();
    if (error.code == Errc::gone || error.code == Errc::denied) continue;
    if (error.os != ENOENT) return fail(error);
    // A pid namespace that waits for its first process has no name yet (kernel/pid_namespace.c,
    // pidns_for_children_get). Nor has any of a thread on its way out.
    const auto text = task.read_text("stat");
    if (!text) continue;
    const auto stat = parse_stat(*text);
    if (stat && stat->state != 'Z' && stat->state != 'X' && (stat->flags & kTaskExiting) == 0)
      return true;
  }
  return false;
}

Result<ThreadFacts> read_thread(const ProcDir& process, pid_t id,
                                const NamespacesOfChildren& namespaces) {
  const ProcDir task = DOPPEL_TRY(process.task(id));
  const std::string text = DOPPEL_TRY(task.read_text("status"));
  ProcStatus status = DOPPEL_TRY(parse_status(text));
  ThreadFacts thread{.id = id,
                     .name = std::move(status.name),
                     .state = status.state,
                     .seccomp = status.seccomp,
                     .tracer = status.tracer,
                     .signals_blocked = status.signals_blocked,
                     .syscall = {},
                     .in_vfork = false,
                     .children_elsewhere = false};
  if (const auto call = task.read_text("syscall")) {
    if (const auto parsed = parse_syscall(*call)) thread.syscall = *parsed;
  }
  if (thread.state == 'D' && thread.syscall) {
    // The flags of clone3 lie in the target's memory; posix_spawn of glibc uses clone3 since 2.38
    // and clone before.
    const std::int64_t number = thread.syscall->number;
    thread.in_vfork = number == SYS_vfork || number == SYS_clone3 ||
                      (number == SYS_clone && (thread.syscall->arguments[0] & kCloneVfork) != 0);
  }
  thread.children_elsewhere = DOPPEL_TRY(has_children_elsewhere(task, namespaces));
  return thread;
}

}  // namespace

void check_threads(Sys& sys, const ProcDir& process, Preflight& out) {
  const auto ids = process.list_tasks();
  if (!ids) {
    if (ids.error().code == Errc::gone) {
      add_gone(out);
    } else {
      add_unknown(out.gates, "its threads are not known", ids.error(), Severity::forbids_injection);
    }
    return;
  }
  NamespacesOfChildren namespaces = {{{.own = "ns/pid", .children = "ns/pid_for_children"},
                                      {.own = "ns/time", .children = "ns/time_for_children"}}};
  for (NamespaceOfChildren& each : namespaces) {
    if (auto link = process.read_link(each.own)) each.link = std::move(*link);
  }
  std::optional<Error> trouble;
  for (const pid_t id : *ids) {
    auto thread = read_thread(process, id, namespaces);
    if (thread) {
      out.threads.push_back(std::move(*thread));
    } else if (thread.error().code != Errc::gone) {  // one that ended meanwhile is none
      trouble = std::move(thread.error());
    }
  }
  if (trouble) {
    add_unknown(out.gates, "not all of its threads are known", *trouble,
                Severity::forbids_injection);
  } else if (out.threads.empty()) {
    add_gone(out);
  }
  judge_threads(sys, out);
}

}  // namespace doppel
