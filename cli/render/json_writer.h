// SPDX-License-Identifier: Apache-2.0
//
// JSON out, in order, on one line. LLVM's writer would cost every start of the command its
// relocations. Text that is not UTF-8 (a path may be anything) keeps the object valid: each wrong
// byte becomes U+FFFD.
#ifndef DOPPEL_CLI_RENDER_JSON_WRITER_H_
#define DOPPEL_CLI_RENDER_JSON_WRITER_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace doppel {

/// Calls must nest as the grammar wants; not checked beyond commas.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  /// "0x7f00": addresses are strings, since 2^53 is where many readers' numbers end.
  JsonWriter& address(std::uint64_t value);

  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  JsonWriter& number(Number value) {
    return raw(std::to_string(value));
  }

  /// The object so far.
  const std::string& str() const { return out_; }

 private:
  JsonWriter& raw(std::string_view value);
  void separate();

  std::string out_;
  bool first_ = true;  ///< no comma before the next value
};

}  // namespace doppel

#endif  // DOPPEL_CLI_RENDER_JSON_WRITER_H_
