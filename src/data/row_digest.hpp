// A digest of what rows hold, by which ranks and runs know whether they have read the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace precis {

/// One digest of lists of tokens, numbers and texts, their order and lengths included.
class RowDigest {
 public:
  void add(std::span<const std::int32_t> tokens);
  void add(std::int64_t number);
  void add(std::string_view text);
  /// 0 if nothing was added.
  [[nodiscard]] std::uint64_t value() const noexcept { return digest_; }
  /// "" if nothing was added.
  [[nodiscard]] std::string text() const;

 private:
  std::uint64_t digest_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace precis
