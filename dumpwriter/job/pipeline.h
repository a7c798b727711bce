// SPDX-License-Identifier: Apache-2.0
//
// The writer's engine, on the threads of one job:
//
//   workers   take the next block in plan order, read it, compress it while it is warm in the cache
//   committer (the thread that calls run()) pours finished blocks into the sink in order, then
//             gives their pages back
//
// A block in work or waiting to be poured holds one of a fixed number of slots, so memory is
// bounded and a slow sink holds the workers up. Because blocks are taken in order, the blocks that
// were taken are always a prefix of the dump: ending early leaves a readable shorter one.
#ifndef DOPPEL_DUMPWRITER_JOB_PIPELINE_H_
#define DOPPEL_DUMPWRITER_JOB_PIPELINE_H_

#include <atomic>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <dumpwriter/job/block_reader.h>
#include <dumpwriter/job/block_stream.h>
#include <dumpwriter/job/release_batch.h>
#include <dumpwriter/job/write_job.h>
#include <dumpwriter/sink/frame_compressor.h>
#include <dumpwriter/sink/seek_table.h>

namespace doppel {

class Pipeline {
 public:
  /// `plan` and `sink` must outlive the pipeline's run().
  Pipeline(std::unique_ptr<const Memory> memory, const DumpPlan& plan, Sink& sink,
           WriteOptions options);

  /// Once; returns when the dump is published or given up, and the memory dropped.
  Result<WriteReport> run();

  // From any thread:
  void cancel();
  void cut_short(std::string reason);
  Progress progress() const;

 private:
  enum class Stop { no, cut, cancelled, failed };

  /// A stretch of a block that is not compressed: bytes to write, or a hole.
  struct Run {
    std::size_t size = 0;
    bool zero = false;
  };

  struct Slot {
    bool ready = false;
    std::unique_ptr<std::byte[]> buffer;  ///< room for one block, compressed or not
    std::span<const std::byte> bytes;     ///< what to write: in `buffer`, or the shared zero frame
    std::vector<Run> runs;                ///< of `bytes`, when not compressed
    std::size_t plain_size = 0;
    std::uint64_t zero_bytes = 0;
    BlockFacts facts;
    std::vector<AddressRange> ranges;  ///< of the target, to give back
  };

  struct Worker {
    std::unique_ptr<FrameCompressor> compressor;
    std::unique_ptr<std::byte[]> plain;
    Block block;
    std::uint64_t index = 0;
  };

  Result<> prepare();
  void start_workers();
  void work(Worker& worker);
  Slot* take_block(Worker& worker);
  Result<> fill(Worker& worker, const Memory& memory, Slot& slot);
  Result<> fill_compressed(Worker& worker, const Memory& memory, Slot& slot);
  Result<> fill_plain(Worker& worker, const Memory& memory, Slot& slot);
  void finish_block(Worker& worker, Slot& slot, Result<> outcome);
  void leave();
  void drop_memory();

  bool head_is_ready(std::uint64_t index) const;
  void commit_blocks();
  Result<> commit_block(Slot& slot);
  void give_back(const Slot& slot);
  void note_filled(std::vector<ZeroFilled> filled);
  Result<WriteReport> close();
  Result<> write_attachment();
  void fail_with(Error error);

  const DumpPlan& plan_;
  Sink& sink_;
  const WriteOptions options_;
  unsigned threads_ = 0;
  std::size_t output_bound_ = 0;
  std::vector<std::byte> zero_frame_;  ///< a whole block of zeros, compressed once

  // Guarded by mutex_, save where a slot is in the hands of one thread.
  std::mutex mutex_;
  std::condition_variable space_;  ///< a slot was emptied, or stop
  std::condition_variable ready_;  ///< blocks to pour, or the last worker left
  BlockStream stream_;
  std::vector<Slot> slots_;
  std::uint64_t taken_ = 0;
  std::uint64_t committed_ = 0;
  std::uint64_t ready_count_ = 0;
  std::uint64_t batch_ = 1;
  unsigned running_ = 0;  ///< workers
  bool exhausted_ = false;
  bool finished_ = false;  ///< run() is about to return
  Stop stop_ = Stop::no;
  std::uint64_t limit_ =
      std::numeric_limits<std::uint64_t>::max();  ///< blocks from here on are not known
  std::string cut_reason_;
  Error error_;
  std::shared_ptr<const Memory> memory_;

  // The committer's own.
  SeekTable table_;
  ReleaseBatch release_;
  WriteReport report_;

  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> file_{0};
  std::vector<Worker> workers_;
  std::vector<std::jthread> worker_threads_;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_JOB_PIPELINE_H_
