// SPDX-License-Identifier: Apache-2.0
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>

#include <dumpwriter/job/cpu_budget.h>
#include <dumpwriter/job/pipeline.h>

namespace doppel {
namespace {

constexpr std::size_t kMinBlock = BlockStream::kPage;
constexpr std::size_t kMaxBlock = 1 << 20;
constexpr unsigned kMaxThreads = 64;
/// For all compressors, buffers and blocks that wait: the rest of doppel has the other half of the
/// 64 MiB it may use whatever the target's size.
constexpr std::size_t kMemoryBudget = 32 << 20;
/// Slots beyond those in work: room for the sink to be late.
constexpr std::size_t kSpareSlots = 8;

std::size_t valid_block_size(std::size_t size) {
  return std::clamp(size, kMinBlock, kMaxBlock) / BlockStream::kPage * BlockStream::kPage;
}

/// Of this thread alone: on Linux each has a nice level of its own (setpriority(2), NOTES).
void give_way(Sys& sys, bool first) {
  constexpr long kLowest = 19;
  // The system call, unlike libc's function, answers 20 - nice.
  const long answer = sys.invoke(SYS_getpriority, PRIO_PROCESS, 0);
  if (answer < 0) return;
  const long nice = first ? std::min(20 - answer + 5, kLowest) : kLowest;
  (void)sys.invoke(SYS_setpriority, PRIO_PROCESS, 0, nice);
}

}  // namespace

Pipeline::Pipeline(std::unique_ptr<const Memory> memory, const DumpPlan& plan, Sink& sink,
                   WriteOptions options)
    : plan_(plan),
      sink_(sink),
      options_(std::move(options)),
      stream_(plan_, valid_block_size(options_.block_bytes)),
      memory_(std::move(memory)) {}

Result<> Pipeline::prepare() {
  const std::size_t block = valid_block_size(options_.block_bytes);
  if (block != options_.block_bytes) {
    return fail(Errc::limit, "set block size", std::to_string(options_.block_bytes));
  }
  output_bound_ = options_.compress ? FrameCompressor::bound(block) : block;
  const unsigned asked = options_.threads != 0 ? options_.threads : available_cpus(*options_.sys);
  // Two slots a worker: one in work, one waiting.
  const std::size_t each =
      block + 2 * output_bound_ +
      (options_.compress ? FrameCompressor::footprint(options_.level, block) : 0);
  const std::size_t affordable =
      std::max<std::size_t>((kMemoryBudget - kSpareSlots * output_bound_) / each, 1);
  threads_ = static_cast<unsigned>(std::min<std::size_t>({asked, kMaxThreads, affordable}));

  workers_.resize(threads_);
  for (Worker& worker : workers_) {
    if (options_.compress) {
      FrameCompressor compressor = DOPPEL_TRY(FrameCompressor::create(options_.level));
      worker.compressor = std::make_unique<FrameCompressor>(std::move(compressor));
      worker.plain = std::make_unique_for_overwrite<std::byte[]>(block);
    }
  }
  if (options_.compress) {
    const std::vector<std::byte> zeros(block);
    zero_frame_.resize(output_bound_);
    const std::size_t size = DOPPEL_TRY(workers_[0].compressor->compress(zeros, zero_frame_));
    zero_frame_.resize(size);
    zero_frame_.shrink_to_fit();
  }
  slots_.resize(2 * threads_ + kSpareSlots);
  batch_ = std::max<std::uint64_t>((slots_.size() - threads_) / 2, 1);
  return {};
}

namespace {

Error no_memory() {
  return fail(Errc::os, "get memory for the writer", {}, ENOMEM).error();
}

}  // namespace

Result<WriteReport> Pipeline::run() {
  const auto begin = std::chrono::steady_clock::now();
  report_.planned_bytes = stream_.total();
  report_.level = options_.level;
  try {
    const Result<> prepared = prepare();
    if (prepared) {
      start_workers();
      commit_blocks();
    } else {
      fail_with(prepared.error());
    }
  } catch (const std::bad_alloc&) {
    // A limit of the caller's own (RLIMIT_AS): no reason to end the application.
    fail_with(no_memory());
    const std::lock_guard lock(mutex_);
    space_.notify_all();
  }
  worker_threads_.clear();  // joins
  drop_memory();
  Result<WriteReport> report = close();
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  if (report) {
    report->elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - begin);
  }
  return report;
}

void Pipeline::start_workers() {
  running_ = threads_;
  for (unsigned i = 0; i < threads_; ++i) {
    try {
      worker_threads_.emplace_back([this, i] { work(workers_[i]); });
    } catch (const std::system_error& error) {
      // pids.max or a process limit: fewer threads do the same work.
      const std::lock_guard lock(mutex_);
      running_ -= threads_ - i;
      threads_ = i;
      if (i == 0) {
        stop_ = Stop::failed;
        error_ = fail(Errc::os, "start a thread", {}, error.code().value()).error();
      }
      break;
    }
  }
  report_.threads = threads_;
}

void Pipeline::work(Worker& worker) {
  (void)options_.sys->prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("doppel-write"));
  if (options_.background) give_way(*options_.sys, &worker == workers_.data());
  std::shared_ptr<const Memory> memory;
  {
    const std::lock_guard lock(mutex_);
    memory = memory_;
  }
  try {
    while (Slot* const slot = take_block(worker)) {
      finish_block(worker, *slot, fill(worker, *memory, *slot));
    }
  } catch (const std::bad_alloc&) {
    fail_with(no_memory());
  }
  memory.reset();
  leave();
}

Pipeline::Slot* Pipeline::take_block(Worker& worker) {
  std::unique_lock lock(mutex_);
  space_.wait(lock, [this] { return stop_ != Stop::no || taken_ - committed_ < slots_.size(); });
  if (stop_ == Stop::cancelled || stop_ == Stop::failed) return nullptr;
  if (stop_ == Stop::cut) {
    // Headers cost nothing to finish, and without them the rest cannot be read.
    if (!stream_.next_is_header()) return nullptr;
    space_.wait(lock, [this] { return stop_ != Stop::cut || taken_ - committed_ < slots_.size(); });
    if (stop_ != Stop::cut || !stream_.next_is_header()) return nullptr;
  }
  if (!stream_.next(worker.block)) {
    exhausted_ = true;
    return nullptr;
  }
  worker.index = taken_++;
  return &slots_[worker.index % slots_.size()];
}

Result<> Pipeline::fill(Worker& worker, const Memory& memory, Slot& slot) {
  if (!slot.buffer) slot.buffer = std::make_unique_for_overwrite<std::byte[]>(output_bound_);
  slot.plain_size = worker.block.size;
  slot.zero_bytes = 0;
  slot.ranges.clear();
  for (const BlockPart& part : worker.block.parts) {
    if (!part.range) continue;
    if (!slot.ranges.empty() && slot.ranges.back().end() == part.range->begin.value) {
      slot.ranges.back().size += part.range->size;
    } else {
      slot.ranges.push_back(*part.range);
    }
  }
  return options_.compress ? fill_compressed(worker, memory, slot)
                           : fill_plain(worker, memory, slot);
}

Result<> Pipeline::fill_compressed(Worker& worker, const Memory& memory, Slot& slot) {
  const std::span<std::byte> plain(worker.plain.get(), worker.block.size);
  slot.facts = DOPPEL_TRY(read_block(memory, worker.block, plain));
  if (slot.facts.all_zero) slot.zero_bytes = plain.size();
  if (slot.facts.all_zero && plain.size() == options_.block_bytes) {
    slot.bytes = zero_frame_;
    return {};
  }
  const std::span<std::byte> room(slot.buffer.get(), output_bound_);
  const std::size_t size = DOPPEL_TRY(worker.compressor->compress(plain, room));
  slot.bytes = room.first(size);
  return {};
}

Result<> Pipeline::fill_plain(Worker& worker, const Memory& memory, Slot& slot) {
  const std::span<std::byte> plain(slot.buffer.get(), worker.block.size);
  slot.facts = DOPPEL_TRY(read_block(memory, worker.block, plain));
  slot.bytes = plain;
  slot.runs.clear();
  std::size_t offset = 0;
  while (offset < plain.size()) {
    // Holes are whole pages of the file, so look at those.
    const std::size_t to_page_end =
        BlockStream::kPage - (worker.block.offset + offset) % BlockStream::kPage;
    const std::size_t size = std::min(to_page_end, plain.size() - offset);
    const bool zero = size == BlockStream::kPage && all_zero(plain.subspan(offset, size));
    if (zero) slot.zero_bytes += size;
    if (!slot.runs.empty() && slot.runs.back().zero == zero) {
      slot.runs.back().size += size;
    } else {
      slot.runs.push_back({size, zero});
    }
    offset += size;
  }
  return {};
}

void Pipeline::finish_block(Worker& worker, Slot& slot, Result<> outcome) {
  const std::lock_guard lock(mutex_);
  if (!outcome) {
    limit_ = std::min(limit_, worker.index);
    if (outcome.error().code == Errc::gone) {
      if (stop_ == Stop::no) {
        stop_ = Stop::cut;
        cut_reason_ = "the frozen copy of the process is gone";
      }
    } else if (stop_ != Stop::cancelled && stop_ != Stop::failed) {
      stop_ = Stop::failed;
      error_ = outcome.error();
    }
    space_.notify_all();
  }
  slot.ready = true;
  ++ready_count_;
  // The committer is woken for several blocks at once: a wake-up costs as much as a small write.
  if (ready_count_ >= batch_ && head_is_ready(committed_)) ready_.notify_one();
}

void Pipeline::leave() {
  std::shared_ptr<const Memory> last;
  const std::lock_guard lock(mutex_);
  // Whatever the sink is doing, a dump that was ended early gives the clone up here.
  if (--running_ == 0) {
    last = std::move(memory_);
    ready_.notify_one();
  }
}

void Pipeline::drop_memory() {
  std::shared_ptr<const Memory> last;
  const std::lock_guard lock(mutex_);
  last = std::move(memory_);
}

bool Pipeline::head_is_ready(std::uint64_t index) const {
  return index < std::min(taken_, limit_) && slots_[index % slots_.size()].ready;
}

void Pipeline::commit_blocks() {
  std::unique_lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] {
      return running_ == 0 || stop_ == Stop::failed || stop_ == Stop::cancelled ||
             (ready_count_ >= batch_ && head_is_ready(committed_));
    });
    if (stop_ == Stop::failed || stop_ == Stop::cancelled) break;
    std::uint64_t end = committed_;
    while (head_is_ready(end)) ++end;
    if (end == committed_) break;  // no worker is left, and nothing to pour
    for (std::uint64_t index = committed_; index < end; ++index) {
      Slot& slot = slots_[index % slots_.size()];
      lock.unlock();
      const Result<> written = commit_block(slot);
      lock.lock();
      if (!written) {
        if (stop_ != Stop::cancelled) {
          stop_ = Stop::failed;
          error_ = written.error();
        }
        break;
      }
      slot.ready = false;
      --ready_count_;
      ++committed_;
      space_.notify_one();
      if (stop_ == Stop::failed || stop_ == Stop::cancelled) break;
    }
  }
  space_.notify_all();
}

Result<> Pipeline::commit_block(Slot& slot) {
  if (options_.compress) {
    DOPPEL_TRY(sink_.write(slot.bytes));
    DOPPEL_TRY(table_.add(static_cast<std::uint32_t>(slot.bytes.size()),
                          static_cast<std::uint32_t>(slot.plain_size)));
  } else {
    std::size_t offset = 0;
    for (const Run& run : slot.runs) {
      if (run.zero) {
        DOPPEL_TRY(sink_.write_zeros(run.size));
      } else {
        DOPPEL_TRY(sink_.write(slot.bytes.subspan(offset, run.size)));
      }
      offset += run.size;
    }
  }
  report_.file_bytes += slot.bytes.size();
  report_.core_bytes += slot.plain_size;
  report_.memory_bytes += slot.facts.memory_bytes;
  report_.zero_bytes += slot.zero_bytes;
  note_filled(std::move(slot.facts.filled));
  done_.store(report_.core_bytes, std::memory_order_relaxed);
  file_.store(report_.file_bytes, std::memory_order_relaxed);
  give_back(slot);
  return {};
}

void Pipeline::give_back(const Slot& slot) {
  if (!options_.release) return;
  std::shared_ptr<const Memory> memory;
  {
    const std::lock_guard lock(mutex_);
    memory = memory_;
  }
  if (!memory) return;
  for (const AddressRange& range : slot.ranges) release_.add(*memory, range);
}

void Pipeline::note_filled(std::vector<ZeroFilled> filled) {
  for (ZeroFilled& gap : filled) {
    report_.zero_filled_pages += (gap.range.size + BlockStream::kPage - 1) / BlockStream::kPage;
    if (!report_.zero_filled.empty() && report_.zero_filled.back().why == gap.why &&
        report_.zero_filled.back().range.end() == gap.range.begin.value) {
      report_.zero_filled.back().range.size += gap.range.size;
    } else if (report_.zero_filled.size() < WriteReport::kMaxRanges) {
      report_.zero_filled.push_back(std::move(gap));
    }
  }
}

Result<WriteReport> Pipeline::close() {
  {
    const std::lock_guard lock(mutex_);
    if (stop_ == Stop::cancelled) return fail(Errc::cancelled, "write dump");
    if (stop_ == Stop::failed) return fail(error_);
    report_.cut_short = report_.core_bytes != report_.planned_bytes;
    if (report_.cut_short) report_.cut_reason = cut_reason_;
  }
  if (options_.compress) {
    DOPPEL_TRY(write_attachment());
    DOPPEL_TRY(table_.write_to(sink_));
    report_.file_bytes += table_.encoded_size();
    file_.store(report_.file_bytes, std::memory_order_relaxed);
  }
  DOPPEL_TRY(sink_.commit());
  return std::move(report_);
}

Result<> Pipeline::write_attachment() {
  if (!options_.attachment) return {};
  const std::string text = options_.attachment(report_);
  if (text.empty()) return {};
  const auto size = static_cast<std::uint32_t>(text.size());
  const std::array<std::byte, 8> header = skippable_header(kAttachmentMagic, size);
  DOPPEL_TRY(sink_.write(header));
  DOPPEL_TRY(sink_.write(std::as_bytes(std::span(text))));
  DOPPEL_TRY(table_.add(static_cast<std::uint32_t>(header.size() + text.size()), 0));
  report_.file_bytes += header.size() + text.size();
  return {};
}

void Pipeline::fail_with(Error error) {
  const std::lock_guard lock(mutex_);
  if (stop_ == Stop::cancelled) return;
  stop_ = Stop::failed;
  error_ = std::move(error);
}

void Pipeline::cancel() {
  const std::lock_guard lock(mutex_);
  if (finished_) return;  // the sink may be no more
  stop_ = Stop::cancelled;
  space_.notify_all();
  ready_.notify_all();
  sink_.interrupt();
}

void Pipeline::cut_short(std::string reason) {
  const std::lock_guard lock(mutex_);
  if (stop_ != Stop::no || exhausted_) return;
  stop_ = Stop::cut;
  cut_reason_ = std::move(reason);
  space_.notify_all();
}

Progress Pipeline::progress() const {
  return {.done = done_.load(std::memory_order_relaxed),
          .planned = stream_.total(),
          .file = file_.load(std::memory_order_relaxed)};
}

}  // namespace doppel
