// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include <snapshot/linux/handle_scan.h>
#include <snapshot/linux/memory_check.h>

namespace doppel {
namespace {

// include/uapi/linux/userfaultfd.h: fork waits for the monitor to read the event.
constexpr std::uint64_t kUserfaultEventFork = 1u << 1;

}  // namespace

void check_mappings(const PreflightOptions& options, Preflight& out) {
  std::uint64_t dont_fork = 0, wiped = 0, secret = 0, device = 0, dont_dump = 0, shared = 0,
                swapped = 0;
  for (const Region& region : out.regions) {
    const std::uint64_t size = region.range.size;
    const bool kernel = region.backing == Backing::vvar || region.backing == Backing::vsyscall;
    swapped += region.swapped;
    if (kernel) continue;
    if (region.traits.secret) {
      secret += size;
    } else if (region.backing == Backing::device) {
      device += size;
    } else if (region.traits.dont_dump) {
      dont_dump += region.resident;
    } else if (region.traits.dont_fork) {
      dont_fork += region.resident;
    } else if (region.traits.wipe_on_fork || region.traits.droppable) {
      wiped += region.resident;
    } else if (region.sharing == Sharing::shared &&
               (region.backing == Backing::shared_memory || region.deleted)) {
      // Files that still have a name are not dumped by default: they can be read there.
      shared += region.resident;
    }
  }
  if (wiped != 0) {
    add_gate(out.gates, GateId::wipe_on_fork, Severity::loses,
             "memory that a clone sees as zero is left out",
             bytes_text(wiped) +
                 " of MADV_WIPEONFORK or MAP_DROPPABLE, mostly secrets of random "
                 "number generators");
  }
  if (secret != 0) {
    add_gate(out.gates, GateId::secret_memory, Severity::loses, "secret memory is left out",
             bytes_text(secret) + " of memfd_secret, which only its owner can read");
  }
  if (dont_fork != 0) {
    const bool in_pause = options.shared == SharedMemory::copy;
    add_gate(
        out.gates, GateId::dont_fork, Severity::note,
        in_pause ? "memory that no clone has is read in the pause"
                 : "memory that no clone has is read after the pause",
        bytes_text(dont_fork) + " of MADV_DONTFORK" + (in_pause ? "" : ", so not of its instant"),
        in_pause ? "" : "--shared copy reads it in the pause");
  }
  if (device != 0) {
    add_gate(out.gates, GateId::device_memory, Severity::note, "device memory is left out",
             bytes_text(device) + " mapped from devices: reading may have effects");
  }
  if (dont_dump != 0) {
    add_gate(out.gates, GateId::dont_dump, Severity::note,
             "memory marked MADV_DONTDUMP is left out", bytes_text(dont_dump) + " present");
  }
  if (shared != 0) {
    const char* what = "shared memory is read right after the pause";
    if (options.shared == SharedMemory::copy) what = "shared memory is read in the pause";
    if (options.shared == SharedMemory::omit) what = "shared memory is left out, as asked";
    add_gate(out.gates, GateId::shared_memory, Severity::note, what,
             bytes_text(shared) + " present, and others may write it meanwhile");
  }
  if (swapped != 0) {
    add_gate(out.gates, GateId::swapped, Severity::note, "some memory is in swap",
             bytes_text(swapped) + ", read back while the dump is written");
  }
}

void check_descriptors(const ProcDir& process, const PreflightOptions& options, Preflight& out) {
  bool machine = false, pinning_device = false;
  std::uint64_t rings = 0;
  std::vector<int> fault_fds;
  std::string device;
  const auto done = for_each_descriptor(process, [&](int number, std::string_view link) {
    if (link == "anon_inode:[userfaultfd]") fault_fds.push_back(number);
    if (link == "/dev/kvm" || link.starts_with("anon_inode:kvm-")) machine = true;
    if (link == "anon_inode:[io_uring]") {
      if (const auto info = read_fdinfo(process, number)) rings += info->registered_buffers;
    }
    for (const char* prefix : {"/dev/infiniband/", "/dev/vfio/", "/dev/nvidia", "/dev/kfd"}) {
      if (!link.starts_with(prefix)) continue;
      pinning_device = true;
      if (device.empty()) device = link;
    }
  });
  if (!done) add_unknown(out.gates, "its descriptors are not known", done.error());

  // A userfaultfd matters for the memory that is registered with one.
  std::uint64_t registered = 0;
  bool missing = false;
  for (const Region& region : out.regions) {
    if (!region.traits.userfault || region.traits.dont_fork) continue;
    registered += region.range.size;
    missing = missing || region.traits.userfault_missing;
  }
  if (registered != 0) {
    bool forks = false, all_known = !fault_fds.empty() && done.has_value();
    for (const int number : fault_fds) {
      const auto info = read_fdinfo(process, number);
      if (!info || !info->userfault_features) {
        all_known = false;
      } else {
        forks = forks || (*info->userfault_features & kUserfaultEventFork) != 0;
      }
    }
    const std::string why = bytes_text(registered) + " registered with userfaultfd";
    if (forks) {
      add_gate(out.gates, GateId::userfaultfd, Severity::forbids_injection,
               "clone: would wait for a stopped thread",
               why + ", whose monitor must answer each fork (UFFD_FEATURE_EVENT_FORK)",
               "--engine direct");
    } else if (!all_known) {
      add_gate(out.gates, GateId::userfaultfd, Severity::forbids_injection,
               "clone: may wait for a stopped thread",
               why + " that another process holds, so its features cannot be read",
               "--engine direct");
    } else if (missing) {
      add_gate(out.gates, GateId::userfaultfd, Severity::loses,
               "memory served by userfaultfd may be incomplete",
               why + ": pages that are not yet there are left out");
    }
  }

  // io_uring accounts its buffers in VmPin too, on kernels that do; VFIO accounts in VmLck.
  out.pinned = std::max(out.status.pinned.value_or(0), rings);
  if (device.starts_with("/dev/vfio/")) {
    out.pinned = std::max(out.pinned, out.status.locked.value_or(0));
  }
  if (machine) {
    add_gate(out.gates, GateId::virtual_machine, Severity::forbids_injection,
             "clone: it runs a virtual machine",
             "a fork stops the guest and tears down its page tables (KVM)",
             "--engine direct, or --engine clone to insist", true);
  }
  if (out.pinned > options.pinned_limit) {
    add_gate(out.gates, GateId::pinned_memory, Severity::forbids_injection,
             "clone: the pause would be long",
             bytes_text(out.pinned) + " are pinned for devices, and a fork copies them at once",
             "--engine direct, or --engine clone to insist", true);
  } else if (pinning_device && !device.starts_with("/dev/vfio/") &&
             !device.starts_with("/dev/infiniband/")) {
    // Drivers of graphics cards pin without accounting.
    add_gate(out.gates, GateId::pinned_memory, Severity::forbids_injection,
             "clone: the pause cannot be foretold",
             "it holds " + device + ", whose driver pins memory without saying how much",
             "--engine direct, or --engine clone to insist", true);
  } else if (out.pinned != 0) {
    add_gate(out.gates, GateId::pinned_memory, Severity::note,
             "pinned memory is copied in the pause", bytes_text(out.pinned));
  }
}

}  // namespace doppel
