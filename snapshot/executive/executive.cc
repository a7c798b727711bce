// SPDX-License-Identifier: Apache-2.0
//
// Boot and shutdown: the name space, the volume, the stepper.
#include <snapshot/executive/executive.h>
#include <snapshot/executive/ke/wait.h>
#include <snapshot/executive/mm/address_space.h>
#include <snapshot/executive/ps/process_exit.h>

namespace doppel {
namespace {

void must(NtStatus status) {
  assert(status.succeeded());
  (void)status;
}

}  // namespace

Executive::Executive(const ExecutiveOptions& options, FaultPlan faults)
    : options_(options),
      faults_(),
      memory_(static_cast<std::uint32_t>(options.commit_limit) + options.file_pages,
              options.commit_limit, faults_, counters_),
      sections_(memory_, counters_),
      root_(new Directory(counters_)),
      base_named_objects_(new Directory(counters_)),
      files_(std::make_unique<FileSystem>(options.disk_bytes, faults_, counters_)),
      stepper_(std::make_unique<Stepper>(*this)) {
  const ObjectRef<Directory> dos_devices(new Directory(counters_));
  const ObjectRef<Directory> devices(new Directory(counters_));
  const ObjectRef<Volume> volume(new Volume(counters_));
  const ObjectRef<SymbolicLink> drive(new SymbolicLink("\\Device\\HarddiskVolume1", counters_));
  must(root_->add("BaseNamedObjects", ObjectRef<Object>(base_named_objects_.get())));
  must(root_->add("??", ObjectRef<Object>(dos_devices.get())));
  must(root_->add("Device", ObjectRef<Object>(devices.get())));
  must(devices->add("HarddiskVolume1", ObjectRef<Object>(volume.get())));
  must(dos_devices->add("C:", ObjectRef<Object>(drive.get())));
  files_->on_unlock = [this](const FileNode& node) { wake_lockers(*this, node); };
  boot_counters_ = counters_;
  faults_ = std::move(faults);  // booting is no fault point
}

Executive::~Executive() {
  faults_ = {};
  system_crash_port = {};
  // The end of one process may free others.
  while (true) {
    Process* running = nullptr;
    for (const auto& [id, process] : processes_) {
      if (!process->signalled) running = process;
      if (running != nullptr) break;
    }
    if (running == nullptr) break;
    end_process(*running, status::unsuccessful);
  }
  stepper_.reset();
  assert(processes_.empty() && threads_.empty());
}

Process* Executive::find_process(std::uint32_t id) const {
  const auto found = processes_.find(id);
  return found == processes_.end() ? nullptr : found->second;
}

NtThread* Executive::find_thread(std::uint32_t id) const {
  const auto found = threads_.find(id);
  return found == threads_.end() ? nullptr : found->second;
}

std::uint32_t Executive::take_id() {
  const std::uint32_t id = next_id_;
  next_id_ += 4;
  return id;
}

void Executive::trace(const TraceEvent& event) {
  ++traced_;
  stepper_->mix(event.process);
  stepper_->mix(event.status.value);
  for (const char c : event.call) stepper_->mix(static_cast<unsigned char>(c));
  if (on_call) on_call(event);
  if (options_.check_invariants) assert(broken_invariant().empty());
}

}  // namespace doppel
