// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include <snapshot/linux/planner.h>

namespace doppel {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHugePage = 2u << 20;

bool is_kernels_own(const Region& region) {
  return region.backing == Backing::vsyscall;  // in no list of mappings that a clone copies
}

/// True for a mapping whose page table entries a fork copies; the others are filled by faults.
bool is_copied(const Region& region) {
  if (region.backing == Backing::device) return region.traits.pfn_map;
  return region.anonymous > 0 || region.swapped > 0 ||
         (region.traits.userfault && region.sharing == Sharing::shared);
}

std::unexpected<Error> refused(const Gate& gate) {
  return fail(gate_code(gate.id), "preflight", gate_line(gate));
}

std::string milliseconds(std::uint64_t us) {
  const std::uint64_t tenths = (us + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

}  // namespace

std::vector<AddressRange> ranges_read_in_stop(const Preflight& facts, SharedMemory shared) {
  const Gate* pool = facts.find(GateId::huge_page_pool);
  const bool huge_pages = pool != nullptr && pool->severity == Severity::note;
  std::vector<AddressRange> ranges;
  for (const Region& region : facts.regions) {
    if (is_kernels_own(region) || region.backing == Backing::device || region.traits.io ||
        region.traits.secret) {
      continue;
    }
    const bool elsewhere = region.sharing == Sharing::shared || region.traits.dont_fork;
    const bool leaves = !elsewhere && region.traits.huge_tlb && region.access.write;
    if ((elsewhere && shared == SharedMemory::copy) || (leaves && huge_pages)) {
      ranges.push_back(region.range);
    }
  }
  return ranges;
}

StopWork count_work(const Preflight& facts, SharedMemory shared) {
  StopWork work;
  const std::vector<AddressRange> read = ranges_read_in_stop(facts, shared);
  auto next_read = read.begin();  // both are in the order of addresses
  bool dont_fork = false;
  for (std::size_t i = 0; i < facts.regions.size(); ++i) {
    const Region& region = facts.regions[i];
    if (is_kernels_own(region)) continue;
    if (next_read != read.end() && *next_read == region.range) {
      work.copied_bytes += region.resident;
      ++next_read;
    }
    if (region.traits.dont_fork) {
      dont_fork = true;
      continue;
    }
    ++work.mappings;
    if (region.traits.huge_tlb) {
      const std::uint64_t page = i < facts.details.size() ? facts.details[i].page_size : kHugePage;
      if (region.sharing == Sharing::private_copy && page > 0) {
        work.hugetlb_pages += region.resident / page;
      }
      continue;
    }
    if (!is_copied(region)) continue;
    const std::uint64_t anonymous = std::min(region.anonymous, region.resident);
    const std::uint64_t huge = std::min(region.anonymous_huge, anonymous);
    work.huge_pages += huge / kHugePage;
    work.small_pages += (anonymous - huge) / kPage;
    work.file_pages += (region.resident - anonymous) / kPage;
    work.swap_entries += region.swapped / kPage;
  }
  if (dont_fork) work.maps_lines = facts.regions.size();
  work.pinned_bytes = facts.pinned;
  for (const ThreadFacts& thread : facts.threads) {
    ++(thread.state == 'R' ? work.running_threads : work.sleeping_threads);
  }
  return work;
}

StopCosts scale(const StopCosts& costs, double slowness) {
  StopCosts scaled = costs;
  for (double StopCosts::* cost :
       {&StopCosts::base, &StopCosts::mapping, &StopCosts::small_page, &StopCosts::file_page,
        &StopCosts::huge_page, &StopCosts::hugetlb_page, &StopCosts::swap_entry,
        &StopCosts::pinned_byte, &StopCosts::copied_byte, &StopCosts::maps_line,
        &StopCosts::sleeping_thread, &StopCosts::running_thread}) {
    scaled.*cost *= slowness;
  }
  return scaled;
}

std::uint64_t predict_pause_us(const StopWork& work, const StopCosts& costs, bool clone) {
  const auto times = [](std::uint64_t count, double cost) {
    return static_cast<double>(count) * cost;
  };
  double ns = costs.base + times(work.sleeping_threads, costs.sleeping_thread) +
              times(work.running_threads, costs.running_thread) +
              times(work.copied_bytes, costs.copied_byte);
  if (clone) {
    ns += times(work.mappings, costs.mapping) + times(work.small_pages, costs.small_page) +
          times(work.file_pages, costs.file_page) + times(work.huge_pages, costs.huge_page) +
          times(work.hugetlb_pages, costs.hugetlb_page) +
          times(work.swap_entries, costs.swap_entry) + times(work.pinned_bytes, costs.pinned_byte) +
          times(work.maps_lines, costs.maps_line);
  }
  return static_cast<std::uint64_t>(std::ceil(ns / 1000));
}

Result<StopPlan> plan_stop(const Preflight& facts, const CaptureRequest& request) {
  if (const Gate* gate = facts.forbidding()) return refused(*gate);

  StopPlan plan;
  if (request.engine == Engine::direct) {
    plan.engine = Engine::direct;
  } else if (const Gate* gate = facts.forbidding_clone(request.engine == Engine::clone)) {
    if (request.engine == Engine::clone) return refused(*gate);
    const Gate* traced = facts.find(GateId::traced);
    if (traced != nullptr) return refused(*traced);
    plan.engine = Engine::direct;
    for (const Gate& each : facts.gates) {
      if (each.severity == Severity::forbids_injection) plan.reasons.push_back(each);
    }
  }

  // A frozen thread comes to no ptrace stop before it is thawed, a traced one to none of ours.
  plan.attach = facts.find(GateId::traced) == nullptr &&
                facts.find(GateId::ptrace_blocked) == nullptr &&
                facts.find(GateId::frozen) == nullptr;
  if (plan.engine == Engine::clone) {
    plan.consistency = "instant";
  } else if (facts.find(GateId::frozen) != nullptr) {
    plan.consistency = "read while its cgroup was frozen";
  } else if (plan.attach) {
    plan.consistency = "registers and stacks of one instant, memory read while the process ran";
  } else {
    plan.consistency = "registers and memory read while the process ran";
  }

  if (plan.attach) {
    const StopCosts costs = scale(StopCosts(), facts.slowness);
    plan.predicted_pause_us =
        predict_pause_us(count_work(facts, request.shared), costs, plan.engine == Engine::clone);
  }
  if (request.max_pause &&
      plan.predicted_pause_us >
          static_cast<std::uint64_t>(std::max<std::int64_t>(request.max_pause->count(), 0))) {
    return fail(Errc::limit, "keep the pause short",
                milliseconds(plan.predicted_pause_us) + " predicted, " +
                    milliseconds(static_cast<std::uint64_t>(
                        std::max<std::int64_t>(request.max_pause->count(), 0))) +
                    " allowed");
  }
  return plan;
}

}  // namespace doppel
