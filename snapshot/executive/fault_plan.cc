// SPDX-License-Identifier: Apache-2.0
//
// The answers of a fault plan. The generator is splitmix64 (public domain, Vigna): the same in
// every build.
#include <algorithm>

#include <snapshot/executive/fault_plan.h>

namespace doppel {
namespace {

constexpr std::array<std::string_view, kFaultSiteCount> kNames = {
    "pfn.alloc",   "commit.charge", "vad.insert", "handle.alloc",  "object.alloc", "cid.alloc",
    "clone.vad",   "clone.pte",     "teb.alloc",  "params.copy",   "image.read",   "image.parse",
    "file.open",   "file.read",     "file.write", "lock.grant",    "mem.read",     "thread.suspend",
    "target.exit", "crash.second",  "dump.write", "sched.preempt", "time.jump"};

std::uint64_t next(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

std::string_view fault_site_name(FaultSite site) {
  return kNames[static_cast<std::size_t>(site)];
}

std::optional<FaultSite> fault_site_of(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<FaultSite>(found - kNames.begin());
}

FaultPlan FaultPlan::nth(FaultSite site, std::uint64_t k) {
  return script({{site, k}});
}

FaultPlan FaultPlan::nth_of_all(std::uint64_t k) {
  FaultPlan plan;
  plan.nth_of_all_ = k;
  return plan;
}

FaultPlan FaultPlan::random(std::uint64_t seed, std::uint32_t per_mille) {
  FaultPlan plan;
  plan.random_ = seed;
  plan.active_ = static_cast<std::uint32_t>(next(plan.random_));
  plan.per_mille_ = per_mille;
  return plan;
}

FaultPlan FaultPlan::script(std::vector<std::pair<FaultSite, std::uint64_t>> failures) {
  FaultPlan plan;
  plan.script_ = std::move(failures);
  return plan;
}

bool FaultPlan::fault(FaultSite site) {
  ++asked_[static_cast<std::size_t>(site)];
  ++all_;
  const bool fails = decide(site);
  if (fails) ++failed_;
  return fails;
}

bool FaultPlan::decide(FaultSite site) {
  const std::size_t index = static_cast<std::size_t>(site);
  if (all_ == nth_of_all_) return true;
  if (std::ranges::find(script_, std::pair(site, asked_[index])) != script_.end()) return true;
  return (active_ >> index & 1) != 0 && next(random_) % 1000 < per_mille_;
}

}  // namespace doppel
