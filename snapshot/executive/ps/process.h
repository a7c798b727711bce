// SPDX-License-Identifier: Apache-2.0
//
// A process object: what belongs to one process and nothing of how it comes or goes
// (ps/process_create.h, ps/process_exit.h).
#ifndef DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_H_
#define DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <snapshot/executive/nt_status.h>
#include <snapshot/executive/ob/handle_table.h>
#include <snapshot/executive/ob/object.h>
#include <snapshot/executive/ps/thread.h>
#include <snapshot/executive/se/protection.h>
#include <snapshot/executive/se/token.h>

namespace doppel {

class AddressSpace;
class CrashPort;
class Executive;
class Section;

class Process final : public Object {
 public:
  Process(Executive& owner, std::uint32_t process_id);

  /// No thread may be made in it any more.
  bool terminating() const { return exiting; }

  Executive& executive;
  const std::uint32_t id;
  std::uint32_t inherited_from = 0;     ///< id of the parent, which may be long gone
  std::unique_ptr<AddressSpace> space;  ///< never null; emptied when the last thread has gone
  HandleTable handles;
  ObjectRef<Section> section;  ///< its image; empty for a clone with RELEASE_SECTION and at exit
  ObjectRef<Token> token;
  Protection protection;
  std::uint64_t peb = 0, image_base = 0;
  std::string image_name;  ///< path of the image as the name space has it; "" for none
  NtStatus exit_status = status::pending;
  std::uint64_t create_time = 0, exit_time = 0;  ///< virtual time, 100 ns
  bool exiting = false;
  bool vm_deleted = false;        ///< `space` is empty for good
  bool signalled = false;         ///< exited; stays so
  bool threadless_clone = false;  ///< of NtCreateProcessEx: no thread for ever under Nt63
  bool started = false;           ///< an instruction has run in it
  AccessMask self_access = 0;     ///< of the pseudo handle -1
  std::uint64_t exception_dispatcher = 0;
  ObjectRef<CrashPort> crash_port;
  std::vector<ObjectRef<NtThread>> threads;  ///< alive, in the order of creation

 private:
  ~Process() override;
};

}  // namespace doppel

#endif  // DOPPEL_SNAPSHOT_EXECUTIVE_PS_PROCESS_H_
