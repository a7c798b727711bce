// SPDX-License-Identifier: Apache-2.0
//
// The server's customers, in a process of their own so that they see what customers see. Every
// thread writes and reads keys of its own, some thousand times a second, and checks each reply
// against what it wrote: a lost write, a wrong byte, a broken connection or an error of any kind is
// counted.
//
//   busy_clients PORT KEYS [THREADS]     prints "ready" once every thread has had an answer
//   stdin: a line NAME ends the current period; it is reported as one line:
//          NAME replies=N errors=N p50_us=N p999_us=N max_us=N
//   end of stdin ends it; exit code 1 if anything ever went wrong
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "record.h"
#include "sockets.h"

namespace sample {
namespace {

/// Latencies of one period in steps of 1 us up to 100 ms, and the largest.
class Period {
 public:
  void add(std::uint64_t us) {
    ++counts_[std::min<std::uint64_t>(us, counts_.size() - 1)];
    max_ = std::max(max_, us);
    ++replies_;
  }

  void add(const Period& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    max_ = std::max(max_, other.max_);
    replies_ += other.replies_;
  }

  std::uint64_t quantile(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(replies_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i + 1 < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return i;
    }
    return max_;
  }

  std::uint64_t max() const { return max_; }

  std::uint64_t replies() const { return replies_; }

 private:
  std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(100'000);
  std::uint64_t max_ = 0;
  std::uint64_t replies_ = 0;
};

class Client {
 public:
  Client(std::uint16_t port, std::uint64_t first, std::uint64_t keys)
      : socket_(connect_to_loopback(port)), first_(first), keys_(keys) {}

  /// One request and its checked reply; false when something was wrong.
  bool step() {
    random_ = mix(random_ + first_);
    const std::uint64_t key = first_ + random_ % keys_;
    const auto start = std::chrono::steady_clock::now();
    const bool good = (random_ >> 40) % 8 == 0 ? write(key) : read(key);
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - start);
    const std::lock_guard lock(mutex_);
    period_.add(static_cast<std::uint64_t>(us.count()));
    return good;
  }

  Period end_period() {
    const std::lock_guard lock(mutex_);
    return std::exchange(period_, Period());
  }

 private:
  bool write(std::uint64_t key) {
    const std::uint32_t version = ++versions_[key];
    Message message{.kind = Message::set, .version = version, .key = key};
    const std::string value = make_value(key, version);
    return socket_.send(&message, sizeof(message)) && socket_.send(value.data(), value.size()) &&
           socket_.receive(&message, sizeof(message)) && message.kind == Message::stored &&
           message.key == key;
  }

  bool read(std::uint64_t key) {
    Message message{.kind = Message::get, .version = 0, .key = key};
    std::string value(kValueSize, '\0');
    const auto known = versions_.find(key);
    const std::uint32_t version = known == versions_.end() ? 0 : known->second;
    return socket_.send(&message, sizeof(message)) && socket_.receive(&message, sizeof(message)) &&
           message.kind == Message::found && message.key == key && message.version == version &&
           socket_.receive(value.data(), value.size()) && value == make_value(key, version);
  }

  Socket socket_;
  const std::uint64_t first_;
  const std::uint64_t keys_;
  std::uint64_t random_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> versions_;
  std::mutex mutex_;
  Period period_;
};

int run(std::uint16_t port, std::uint64_t keys, std::size_t count) {
  std::atomic<std::uint64_t> errors = 0;
  std::atomic<bool> stopping = false;
  std::latch answered(static_cast<std::ptrdiff_t>(count));
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(port, i * (keys / count), keys / count));
    threads.emplace_back([&, &client = *clients.back()] {
      bool good = client.step();
      answered.count_down();
      while (good && !stopping) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));  // customers think
        good = client.step();
      }
      if (!good) ++errors;  // this client has lost its server and stops
    });
  }
  answered.wait();
  for (auto& client : clients) client->end_period();
  std::printf("ready\n");
  std::fflush(stdout);

  std::string name;
  while (std::getline(std::cin, name)) {
    Period all;
    for (auto& client : clients) all.add(client->end_period());
    std::printf("%s replies=%llu errors=%llu p50_us=%llu p999_us=%llu max_us=%llu\n", name.c_str(),
                static_cast<unsigned long long>(all.replies()),
                static_cast<unsigned long long>(errors.load()),
                static_cast<unsigned long long>(all.quantile(0.5)),
                static_cast<unsigned long long>(all.quantile(0.999)),
                static_cast<unsigned long long>(all.max()));
    std::fflush(stdout);
  }
  stopping = true;
  for (std::thread& thread : threads) thread.join();
  return errors == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sample

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: busy_clients PORT KEYS [THREADS]\n");
    return 2;
  }
  return sample::run(static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)),
                     std::strtoull(argv[2], nullptr, 10),
                     argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 6);
}
