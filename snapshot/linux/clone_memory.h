// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a captured process: most of them the clone's, through /proc/PID/mem (never
// process_vm_readv, which pins and thereby copies every shared page); some the target's own, for
// mappings that a clone lacks; some copied in the stop. Owning it is owning the clone.
#ifndef DOPPEL_SNAPSHOT_LINUX_CLONE_MEMORY_H_
#define DOPPEL_SNAPSHOT_LINUX_CLONE_MEMORY_H_

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <snapshot/linux/tracer_process.h>
#include <snapshot/model/memory.h>
#include <snapshot/model/region.h>

namespace doppel {

/// What belongs to one capture, in the order of its making; destroyed backwards.
struct LiveCapture {
  explicit LiveCapture(Sys& sys_port, TargetProcess process, CaptureArena room)
      : sys(sys_port), target(std::move(process)), arena(std::move(room)) {}

  Sys& sys;
  TargetProcess target;
  CaptureArena arena;
  SnapshotOrders orders;
  std::unique_ptr<TracerProcess> tracer;  ///< absent in a capture without attaching
  CloneFiles own_files;                   ///< then these, opened by ourselves
  /// Gives pages back where no tracer of our own does it (a hand-over). Called under a lock.
  std::function<void(std::span<const AddressRange>)> give_back;

  const CloneFiles& files() const { return tracer ? tracer->files() : own_files; }
};

class CloneMemory : public Memory {
 public:
  /// Where the bytes of a region come from.
  enum class Source {
    clone,
    target,
    none,  ///< nowhere: the snapshot does not hold them
  };

  struct Part {
    Region region;
    Source source = Source::clone;
  };

  /// `parts` are sorted and disjoint. `ended` is called once, with what came of removing the clone.
  CloneMemory(std::unique_ptr<LiveCapture> capture, std::vector<Part> parts,
              std::function<void(const Result<>&)> ended);
  ~CloneMemory() override;

  Result<std::size_t> read(Address from, std::span<std::byte> to) const override;
  Result<std::vector<Extent>> survey(AddressRange within) const override;
  void release(AddressRange range) const override;

 private:
  const Part* part_of(Address address) const;
  int memory_fd(Source source) const;
  int pagemap_fd(Source source) const;
  std::uint64_t still_held(AddressRange read) const;
  const CopyRecord* copy_at(Address address, std::uint64_t* until) const;
  Result<> survey_part(const Part& part, AddressRange within, std::vector<Extent>& extents) const;
  Result<> survey_shared(const Part& part, AddressRange within, std::vector<Extent>& extents) const;
  void probe_file(Source source, AddressRange range, std::vector<Extent>& extents) const;
  void probe(Source source, AddressRange range, std::vector<Extent>& extents) const;

  std::unique_ptr<LiveCapture> capture_;
  std::vector<Part> parts_;
  std::vector<CopyRecord> copies_;  // by address
  std::function<void(const Result<>&)> ended_;
  mutable std::mutex release_mutex_;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_LINUX_CLONE_MEMORY_H_
