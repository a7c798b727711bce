// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include <snapshot/support/result.h>

namespace doppel {

std::unexpected<Error> fail_errno(int os, const char* step, std::string subject,
                                  std::source_location at) {
  Errc code = Errc::os;
  switch (os) {
    case ESRCH:
      code = Errc::gone;
      break;
    case EPERM:
    case EACCES:
      code = Errc::denied;
      break;
    case ENOSYS:
    case EOPNOTSUPP:
      code = Errc::unsupported;
      break;
    default:
      break;
  }
  return fail(code, step, std::move(subject), os, at);
}

}  // namespace doppel
