// The part of a tensor that one rank holds: one box of the global index space.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace precis {

using Extents = std::vector<std::int64_t>;

/// The elements with offset[a] <= index[a] < offset[a] + extent[a]. Ranks that hold the same box
/// have different replica numbers; the lowest writes.
struct Shard {
  Extents global_shape;
  Extents offset;
  Extents extent;
  int replica = 0;

  /// Elements in the box; 1 for a scalar (no axes).
  [[nodiscard]] std::int64_t numel() const;
  [[nodiscard]] std::int64_t global_numel() const;
  [[nodiscard]] bool empty() const { return numel() == 0; }
  [[nodiscard]] bool is_whole() const;
  /// Whether `other` (of the same tensor) lies in this box.
  [[nodiscard]] bool contains(const Shard& other) const;
  friend bool operator==(const Shard&, const Shard&) = default;
};

/// The whole tensor on one rank.
[[nodiscard]] Shard whole(Extents shape);

/// Part `part` of `parts` along `axis`: sizes differ by at most one, the larger ones first; parts
/// may be empty. Throws Error for an axis or a part that does not exist.
[[nodiscard]] Shard split(const Shard& shard, int axis, int part, int parts);

/// The common box of two shards of one tensor, or nothing. Throws Error if their global shapes
/// differ. The replica is a's.
[[nodiscard]] std::optional<Shard> intersect(const Shard& a, const Shard& b);

/// Throws Error unless the three vectors have one length and the box lies in the global shape.
void require_valid(const Shard& shard);

/// "[2:5, 0:8] of (10, 8)".
[[nodiscard]] std::string to_string(const Shard& shard);

}  // namespace precis
