// SPDX-License-Identifier: Apache-2.0
#include <cctype>
#include <cstring>

#include <snapshot/support/error_text.h>

namespace doppel {
namespace {

/// glibc's text without its capital ("Operation not permitted"), but "RFS specific error" keeps its
/// own. strerrordesc_np and not strerror: thread-safe, and the same in every locale.
std::string system_reason(int os) {
  const char* known = ::strerrordesc_np(os);
  if (known == nullptr) return "error " + std::to_string(os);
  std::string text = known;
  const bool word = text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0;
  if (word) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

std::string_view error_reason(Errc code) {
  switch (code) {
    case Errc::os:
      return "failed";
    case Errc::gone:
      return "no such process";
    case Errc::denied:
      return "not permitted";
    case Errc::timeout:
      return "took too long";
    case Errc::unmapped:
      return "not mapped";
    case Errc::malformed:
      return "malformed";
    case Errc::unsupported:
      return "not supported here";
    case Errc::limit:
      return "limit exceeded";
    case Errc::cancelled:
      return "cancelled";
  }
  return "failed";
}

std::string error_text(const Error& error) {
  std::string text = error.step;
  if (!error.subject.empty()) {
    if (!text.empty()) text += ' ';
    text += error.subject;
  }
  if (!text.empty()) text += ": ";
  if (error.os != 0) {
    text += system_reason(error.os);
  } else {
    text += error_reason(error.code);
  }
  return text;
}

}  // namespace doppel
