// SPDX-License-Identifier: Apache-2.0
#include <deque>
#include <system_error>

#include <cli/memory_guard.h>

namespace doppel {
namespace {

using namespace std::chrono_literals;

constexpr auto kPeriod = 100ms;
constexpr auto kWindow = 1s;

}  // namespace

MemoryGuard::MemoryGuard(Sys& sys, std::int32_t target) : watch_(sys, target) {
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  } catch (const std::system_error&) {
    // Said by watches().
  }
}

MemoryGuard::~MemoryGuard() {
  stop();
}

void MemoryGuard::watch(std::function<void(const std::string&)> give_up) {
  const std::scoped_lock lock(mutex_);
  give_up_ = std::move(give_up);
}

void MemoryGuard::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

bool MemoryGuard::wait(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, kPeriod, [] { return false; });
  return !stop.stop_requested();
}

void MemoryGuard::run(const std::stop_token& stop) {
  const MemoryReading baseline = watch_.read();
  // The readings of the last second and one older one, oldest first.
  std::deque<MemoryReading> recent = {baseline};
  while (wait(stop)) {
    MemoryReading now = watch_.read();
    while (recent.size() > 1 && now.at - recent[1].at >= kWindow) recent.pop_front();
    const bool whole_window = now.at - recent.front().at >= kWindow;
    const std::optional<std::string> reason =
        must_give_up(now, recent.back(), whole_window ? &recent.front() : nullptr, baseline);
    recent.push_back(std::move(now));
    if (!reason) continue;
    const std::scoped_lock lock(mutex_);
    if (!give_up_) continue;
    give_up_(*reason);
    return;
  }
}

}  // namespace doppel
