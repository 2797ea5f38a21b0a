#include "data/row_digest.hpp"

#include <fmt/format.h>

#include "io/digest.hpp"

namespace precis {

void RowDigest::add(std::span<const std::int32_t> tokens) {
  const auto length = static_cast<std::int64_t>(tokens.size());
  add(length);
  add(static_cast<std::int64_t>(digest_elements(reinterpret_cast<const std::byte*>(tokens.data()),
                                                sizeof(std::int32_t), length, 0)));
}

void RowDigest::add(std::int64_t number) {
  digest_ += mix_element(count_++, static_cast<std::uint64_t>(number));
}

void RowDigest::add(std::string_view text) { add(static_cast<std::int64_t>(digest(text))); }

std::string RowDigest::text() const { return count_ == 0 ? "" : fmt::format("{:016x}", digest_); }

}  // namespace precis
