// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <dumpwriter/job/pipeline.h>
#include <dumpwriter/job/write_job.h>

namespace doppel {

class WriteJob::State {
 public:
  State(Snapshot snapshot, DumpPlan plan, std::unique_ptr<Sink> sink, WriteOptions options)
      : plan_(std::move(plan)),
        sink_(std::move(sink)),
        pipeline_(std::move(snapshot.memory), plan_, *sink_, std::move(options)) {}

  void start() {
    // The job's threads take no signals: the application's handlers run on its own threads, and a
    // closed pipe is an error code here, not SIGPIPE. A new thread inherits the mask.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      thread_ = std::jthread([this] { run(); });
    } catch (const std::system_error& error) {
      sink_.reset();
      finish(fail(Errc::os, "start the writer's thread", {}, error.code().value()));
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  Pipeline& pipeline() { return pipeline_; }

  bool wait_for(std::chrono::milliseconds time) const {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, time, [this] { return outcome_.has_value(); });
  }

  Result<WriteReport> take() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return outcome_.has_value(); });
    return std::move(*outcome_);
  }

  void stop() {
    // Without a thread it never ran, and its sink is gone.
    if (!thread_.joinable()) return;
    pipeline_.cancel();
    thread_.join();
  }

 private:
  void run() {
    Result<WriteReport> outcome = pipeline_.run();
    // Whoever waits may look at the disk at once: an uncommitted file is gone by then.
    sink_.reset();
    finish(std::move(outcome));
  }

  void finish(Result<WriteReport> outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    done_.notify_all();
  }

  const DumpPlan plan_;
  std::unique_ptr<Sink> sink_;
  Pipeline pipeline_;
  mutable std::mutex mutex_;
  mutable std::condition_variable done_;
  std::optional<Result<WriteReport>> outcome_;
  std::jthread thread_;
};

WriteJob WriteJob::start(Snapshot snapshot, DumpPlan plan, std::unique_ptr<Sink> sink,
                         WriteOptions options) {
  auto state = std::make_unique<State>(std::move(snapshot), std::move(plan), std::move(sink),
                                       std::move(options));
  state->start();
  return WriteJob(std::move(state));
}

WriteJob::WriteJob(std::unique_ptr<State> state) : state_(std::move(state)) {}

WriteJob::WriteJob(WriteJob&&) noexcept = default;

WriteJob& WriteJob::operator=(WriteJob&& other) noexcept {
  if (this == &other) return *this;
  if (state_) state_->stop();
  state_ = std::move(other.state_);
  return *this;
}

WriteJob::~WriteJob() {
  if (state_) state_->stop();
}

Progress WriteJob::progress() const {
  return state_->pipeline().progress();
}

bool WriteJob::wait_for(std::chrono::milliseconds time) const {
  return state_->wait_for(time);
}

void WriteJob::cancel() {
  state_->pipeline().cancel();
}

void WriteJob::cut_short(std::string reason) {
  state_->pipeline().cut_short(std::move(reason));
}

Result<WriteReport> WriteJob::wait() && {
  const std::unique_ptr<State> state = std::move(state_);
  Result<WriteReport> outcome = state->take();
  state->stop();
  return outcome;
}

}  // namespace doppel
