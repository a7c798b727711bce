// SPDX-License-Identifier: Apache-2.0
//
// A server that is worth capturing: an in-memory store of half a gigabyte behind TCP on loopback,
// one thread per connection, a thread that sums the store up without pause, and one that sleeps. It
// knows nothing of doppel.
//
//   busy_server [MIB]      prints "ready PORT KEYS" when it serves; ends on SIGTERM or SIGINT
#include <pthread.h>
#include <sys/prctl.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "record.h"
#include "sockets.h"

namespace sample {
namespace {

struct Entry {
  std::uint32_t version = 0;
  std::string value;
};

/// Sharded, so that connections do not wait for each other.
class Store {
 public:
  void set(std::uint64_t key, std::uint32_t version, std::string value) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    shard.entries[key] = Entry{version, std::move(value)};
  }

  bool get(std::uint64_t key, Entry& to) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(key);
    if (found == shard.entries.end()) return false;
    to = found->second;
    return true;
  }

  /// Touches every value of one shard, as an index or a statistics job would.
  std::uint64_t sum(std::size_t index) {
    Shard& shard = shards_[index % kShards];
    const std::lock_guard lock(shard.mutex);
    std::uint64_t total = 0;
    for (const auto& [key, entry] : shard.entries) {
      total += entry.version + static_cast<unsigned char>(entry.value[key % kValueSize]);
    }
    return total;
  }

 private:
  static constexpr std::size_t kShards = 1024;

  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, Entry> entries;
  };

  Shard& shard_of(std::uint64_t key) { return shards_[mix(key) % kShards]; }

  std::array<Shard, kShards> shards_;
};

class Server {
 public:
  explicit Server(std::uint64_t keys) : keys_(keys) {}

  bool run() {
    fill();
    std::uint16_t port = 0;
    const Socket listener = listen_on_loopback(port);
    if (!listener) return false;
    std::thread acceptor([&] { accept_connections(listener); });
    std::thread statistics([&] { keep_statistics(); });
    std::thread janitor([&] { sweep(); });
    name(acceptor, "acceptor");
    name(statistics, "statistics");
    name(janitor, "janitor");
    std::printf("ready %u %llu\n", port, static_cast<unsigned long long>(keys_));
    std::fflush(stdout);

    // All signals are blocked in all threads; this one waits for the two that end us.
    sigset_t ending;
    ::sigemptyset(&ending);
    ::sigaddset(&ending, SIGTERM);
    ::sigaddset(&ending, SIGINT);
    int signal = 0;
    ::sigwait(&ending, &signal);

    stopping_ = true;
    wake_.notify_all();
    ::shutdown(listener.get(), SHUT_RDWR);
    acceptor.join();
    statistics.join();
    janitor.join();
    for (std::thread& worker : workers_) worker.join();
    std::printf("served %llu requests, %llu connections broke\n",
                static_cast<unsigned long long>(requests_.load()),
                static_cast<unsigned long long>(broken_.load()));
    return broken_ == 0;
  }

 private:
  static void name(std::thread& thread, const char* text) {
    ::pthread_setname_np(thread.native_handle(), text);
  }

  void fill() {
    for (std::uint64_t key = 0; key < keys_; ++key) store_.set(key, 0, make_value(key, 0));
  }

  void accept_connections(const Socket& listener) {
    while (!stopping_) {
      Socket connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) break;  // shut down; anything else is seen as a client that cannot connect
      no_delay(connection);
      workers_.emplace_back([this, c = std::move(connection)] { serve(c); });
      name(workers_.back(), ("worker-" + std::to_string(workers_.size())).c_str());
    }
  }

  void serve(const Socket& connection) {
    Message request;
    while (connection.receive(&request, sizeof(request))) {
      if (!answer(connection, request)) {
        if (!stopping_) ++broken_;
        return;
      }
      ++requests_;
    }
  }

  bool answer(const Socket& connection, Message message) {
    if (message.kind == Message::set) {
      std::string value(kValueSize, '\0');
      if (!connection.receive(value.data(), value.size())) return false;
      store_.set(message.key, message.version, std::move(value));
      message.kind = Message::stored;
      return connection.send(&message, sizeof(message));
    }
    Entry entry;
    if (!store_.get(message.key, entry)) {
      message.kind = Message::missing;
      return connection.send(&message, sizeof(message));
    }
    message.kind = Message::found;
    message.version = entry.version;
    return connection.send(&message, sizeof(message)) &&
           connection.send(entry.value.data(), entry.value.size());
  }

  void keep_statistics() {
    for (std::size_t shard = 0; !stopping_; ++shard) {
      statistics_ = store_.sum(shard);
      std::unique_lock lock(wake_mutex_);
      wake_.wait_for(lock, std::chrono::milliseconds(5), [&] { return stopping_.load(); });
    }
  }

  void sweep() {
    std::unique_lock lock(wake_mutex_);
    wake_.wait(lock, [&] { return stopping_.load(); });
  }

  const std::uint64_t keys_;
  Store store_;
  std::vector<std::thread> workers_;  // of the acceptor until it is joined
  std::mutex wake_mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> statistics_ = 0;
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<std::uint64_t> broken_ = 0;
};

}  // namespace
}  // namespace sample

int main(int argc, char** argv) {
  const std::uint64_t mib = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 512;
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  // Where Yama's ptrace_scope is 1, an ordinary user's debugger may look at this process too.
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  sample::Server server((mib << 20) / sample::kValueSize);
  return server.run() ? 0 : 1;
}
