// SPDX-License-Identifier: Apache-2.0
//
// System calls on files. Each answers an IO_STATUS_BLOCK {status, information} as well, as far as
// the call came to the file at all; a lock that waits stores it when it is granted.
#include <array>
#include <optional>
#include <vector>

#include <snapshot/executive/cpu/guest_services.h>
#include <snapshot/executive/native/service_call.h>

namespace doppel {
namespace {

struct IoStatus {
  std::uint64_t status = 0, information = 0;
};

NtStatus finish(ServiceCall& call, std::size_t place, NtStatus answer, Information information) {
  if (answer.succeeded()) call.memory.put(call[place], IoStatus{answer.value, information});
  return answer;
}

bool probe_io(ServiceCall& call, std::size_t place) {
  return call.memory.probe(call[place], sizeof(IoStatus));
}

NtStatus create_file(ServiceCall& call) {
  if (!probe_io(call, 3)) return status::access_violation;
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    if (call.word(7) > static_cast<std::uint32_t>(FileDisposition::overwrite_if))
      return status::invalid_parameter;
    Information information = 0;
    const NtStatus answer =
        call.nt.create_file(made,
                            {.desired = call.word(1),
                             .object = object,
                             .share = call.word(6),
                             .disposition = static_cast<FileDisposition>(call.word(7)),
                             .options = call.word(8)},
                            information);
    return finish(call, 3, answer, information);
  });
}

NtStatus open_file(ServiceCall& call) {
  if (!probe_io(call, 3)) return status::access_violation;
  return make_handle(call, 0, 2, [&](HandleValue& made, const ObjectAttributes& object) {
    Information information = 0;
    const NtStatus answer =
        call.nt.open_file(made, call.word(1), object, call.word(4), call.word(5), information);
    return finish(call, 3, answer, information);
  });
}

/// Where NtReadFile and NtWriteFile begin, and with which lock key.
NtStatus get_place(ServiceCall& call, std::optional<std::uint64_t>& offset, std::uint32_t& key) {
  std::optional<std::int64_t> read;
  if (const NtStatus answer = call.memory.optional_integer(call[7], read);
      answer != status::success)
    return answer;
  // FILE_USE_FILE_POINTER_POSITION is -2.
  if (read && *read != -2) {
    if (*read < 0) return status::invalid_parameter;
    offset = static_cast<std::uint64_t>(*read);
  }
  if (call[8] != 0 && !call.memory.get(call[8], key)) return status::access_violation;
  return status::success;
}

NtStatus read_file(ServiceCall& call) {
  if (call.word(6) > kLongestBuffer) return status::invalid_parameter;
  if (!probe_io(call, 4) || !call.memory.probe(call[5], call.word(6)))
    return status::access_violation;
  std::optional<std::uint64_t> offset;
  std::uint32_t key = 0;
  if (const NtStatus answer = get_place(call, offset, key); answer != status::success)
    return answer;
  std::vector<std::byte> bytes(call.word(6));
  Information information = 0;
  const NtStatus answer = call.nt.read_file(call[0], bytes, offset, key, information);
  if (answer.succeeded()) call.memory.copy_out(call[5], std::span(bytes).first(information));
  return finish(call, 4, answer, information);
}

NtStatus write_file(ServiceCall& call) {
  if (call.word(6) > kLongestBuffer) return status::invalid_parameter;
  std::vector<std::byte> bytes(call.word(6));
  if (!probe_io(call, 4) || !call.memory.copy_in(call[5], bytes)) return status::access_violation;
  std::optional<std::uint64_t> offset;
  std::uint32_t key = 0;
  if (const NtStatus answer = get_place(call, offset, key); answer != status::success)
    return answer;
  Information information = 0;
  const NtStatus answer = call.nt.write_file(call[0], bytes, offset, key, information);
  return finish(call, 4, answer, information);
}

NtStatus lock_file(ServiceCall& call) {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  if (!probe_io(call, 4) || !call.memory.get(call[5], offset) || !call.memory.get(call[6], length))
    return status::access_violation;
  const NtStatus answer =
      call.nt.lock_file(call[0], offset, length, call.word(7), call.flag(8), call.flag(9));
  if (answer == status::pending) {
    call.thread.wait.result = call[4];
    return answer;
  }
  return finish(call, 4, answer, 0);
}

NtStatus unlock_file(ServiceCall& call) {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  if (!probe_io(call, 1) || !call.memory.get(call[2], offset) || !call.memory.get(call[3], length))
    return status::access_violation;
  return finish(call, 1, call.nt.unlock_file(call[0], offset, length, call.word(4)), 0);
}

NtStatus set_information_file(ServiceCall& call) {
  if (!probe_io(call, 1)) return status::access_violation;
  return take_buffer(call, 2, 3, [&](std::span<const std::byte> from) {
    return finish(call, 1, call.nt.set_information_file(call[0], call.word(4), from), 0);
  });
}

NtStatus query_information_file(ServiceCall& call) {
  if (call.word(3) > kLongestBuffer) return status::invalid_parameter;
  if (!probe_io(call, 1) || !call.memory.probe(call[2], call.word(3)))
    return status::access_violation;
  std::vector<std::byte> bytes(call.word(3));
  std::uint32_t length = 0;
  const NtStatus answer = call.nt.query_information_file(call[0], call.word(4), bytes, length);
  if (answer.succeeded())
    call.memory.copy_out(call[2],
                         std::span(bytes).first(std::min<std::size_t>(bytes.size(), length)));
  return finish(call, 1, answer, length);
}

}  // namespace

std::span<const Service> file_services() {
  static constexpr std::array kServices = {
      Service{kServiceCreateFile, "NtCreateFile", create_file},
      Service{kServiceOpenFile, "NtOpenFile", open_file},
      Service{kServiceReadFile, "NtReadFile", read_file},
      Service{kServiceWriteFile, "NtWriteFile", write_file},
      Service{kServiceLockFile, "NtLockFile", lock_file},
      Service{kServiceUnlockFile, "NtUnlockFile", unlock_file},
      Service{kServiceSetInformationFile, "NtSetInformationFile", set_information_file},
      Service{kServiceQueryInformationFile, "NtQueryInformationFile", query_information_file},
  };
  return kServices;
}

}  // namespace doppel
