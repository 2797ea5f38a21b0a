// Whether two model files or checkpoints hold the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/state_file.hpp"

namespace precis {

/// One digest of what a file holds: format, and names, dtypes, shapes and digests of its datasets
/// in the order of names; no other attribute, and not the deck. Equal files (CONTRACT section 5)
/// have equal digests. A dataset without a stored digest is read to compute it.
[[nodiscard]] std::uint64_t content_digest(const StateReader& file);

/// What differs between two files, one line each; none if they are equal. The data are read,
/// whatever digests are stored with them. Of texts that are JSON objects the keys that differ are
/// named, of f32 tensors the number of elements and the largest difference.
[[nodiscard]] std::vector<std::string> differences(const StateReader& a, const StateReader& b);

}  // namespace precis
